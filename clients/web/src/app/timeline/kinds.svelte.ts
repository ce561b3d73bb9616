// What shows the kinds of messages that are more than words: loaded when the first of them is seen, or soon after the start,
// so that it is there before it is needed. Until then their rows have about the height that they will have.

import type { Component } from 'svelte'
import { open } from '../../rooms'
import type { Said } from '../content'

const GONE_MS = 5000

class Kinds {
  Kind = $state.raw<Component<any>>()
  #asked = false

  want(): void {
    if (this.#asked) return
    this.#asked = true
    // Without a connection it may not come: it is asked for again.
    open.kind().then((it) => (this.Kind = it), () => setTimeout(() => (this.#asked = false), GONE_MS))
  }
}
export const kinds = new Kinds()

/** What a first sight of the timeline can show by itself. */
export const isPlain = (said: Said): boolean => !said.burnS && (said.kind === 'text' || said.kind === 'unknown' || said.kind === 'system')

/** Pictures are as wide as this at most, and as high. */
export const MEDIA_WIDTH = 360
export const MEDIA_HEIGHT = 400
export const MEDIA_LEAST = 120

/** A picture alone, as it is shown: never larger than it is, but for what would be too small to hit. */
export function boxOf(width: number, height: number): { width: number; height: number } {
  const [w, h] = [width || 4, height || 3]
  const scale = Math.min(1, MEDIA_WIDTH / w, MEDIA_HEIGHT / h)
  const fit = (side: number, max: number) => Math.round(Math.min(max, Math.max(MEDIA_LEAST, side * scale)))
  return { width: fit(w, MEDIA_WIDTH), height: fit(h, MEDIA_HEIGHT) }
}

/** Rows of an album: as few as look well, each as wide as all; proportions between those of a door and of a window. */
export function mosaic(proportions: readonly number[]): number[][] {
  const all = proportions.map((one) => Math.min(2.2, Math.max(0.6, one || 1)))
  const rows: number[][] = []
  const TARGET = 2.3
  for (let at = 0; at < all.length; ) {
    const left = all.length - at
    let take = 1
    let sum = all[at] as number
    while (take < left && take < 4 && sum + (all[at + take] as number) / 2 < TARGET) { sum += all[at + take] as number; take++ }
    // One alone in the last row is higher than all others: it is taken into the row before, or takes one from it.
    if (left - take === 1 && take < 3) take++
    rows.push(Array.from({ length: take }, (_, i) => at + i))
    at += take
  }
  return rows.map((row) => row)
}
export const rowProportion = (row: readonly number[], proportions: readonly number[]): number =>
  row.reduce((sum, i) => sum + Math.min(2.2, Math.max(0.6, proportions[i] || 1)), 0)

/** About how high it will be, in pixels. */
export function heightOf(said: Said): number {
  if (said.burnS) return 52
  const words = (blocks: readonly unknown[]) => (blocks.length > 0 ? 14 + blocks.length * 24 : 0)
  switch (said.kind) {
    case 'code': return 90 + Math.min(18, said.source.split('\n').length) * 20
    case 'album': {
      const only = said.pictures[0]
      if (said.pictures.length === 1 && only) return boxOf(only.width, only.height).height + words(said.caption)
      const proportions = said.pictures.map((one) => one.width / one.height)
      const width = Math.min(MEDIA_WIDTH, innerWidth * 0.8)
      return mosaic(proportions).reduce((sum, row) => sum + width / rowProportion(row, proportions) + 3, 0) + words(said.caption)
    }
    case 'video': return boxOf(said.width, said.height).height + words(said.caption)
    case 'voice': return 52
    case 'attachment': return 64 + words(said.caption)
    case 'sticker': return 160
    case 'location': return 210
    case 'contact': return 76
    case 'link': return said.picture ? 230 : 92
    case 'transcript': return 150
    default: return 44
  }
}
