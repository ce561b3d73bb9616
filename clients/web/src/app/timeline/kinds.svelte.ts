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

/** Proportions between those of a door and of a wide window: what is beyond is cut. */
const NARROWEST = 0.6
const WIDEST = 2.2
const ROW_MAX = 5
/** What another row costs: more of them are higher than one looks at. */
const ROW_COST = 0.05

/** Of one picture in a mosaic, of what is known of it. */
export const clamped = (proportion: number): number => Math.min(WIDEST, Math.max(NARROWEST, proportion || 1))
export const rowProportion = (row: readonly number[], proportions: readonly number[]): number => row.reduce((sum, i) => sum + clamped(proportions[i] ?? 1), 0)

/** Rows of an album, each as wide as all, in their order: those of the heights that look best. The more there are, the lower. */
export function mosaic(proportions: readonly number[]): number[][] {
  const n = proportions.length
  const best = n <= 4 ? 1.9 : n <= 9 ? 2.5 : 3.3
  const longest = n <= 9 ? ROW_MAX - 1 : ROW_MAX
  /** The least that the first so many cost, and how long their last row is. */
  const costs: { cost: number; row: number }[] = [{ cost: 0, row: 0 }]
  for (let end = 1; end <= n; end++) {
    let found = { cost: Infinity, row: 1 }
    for (let row = 1, sum = 0; row <= Math.min(longest, end); row++) {
      sum += clamped(proportions[end - row] ?? 1)
      const cost = (costs[end - row]?.cost ?? 0) + Math.log(sum / best) ** 2 + ROW_COST
      if (cost < found.cost) found = { cost, row }
    }
    costs.push(found)
  }
  const rows: number[][] = []
  for (let end = n; end > 0; ) {
    const row = costs[end]?.row ?? 1
    rows.unshift(Array.from({ length: row }, (_, i) => end - row + i))
    end -= row
  }
  return rows
}

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
