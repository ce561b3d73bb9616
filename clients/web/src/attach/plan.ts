// From what was chosen to the messages that it becomes: pictures together as albums, everything else one by one, in the order
// in which it was put. Pure.

import type { Block } from '../app/content'
import type { Chosen } from './look'
import type { Wanted } from './uploads.svelte'

/** Pictures of one message. */
export const ALBUM_MAX = 30

export interface How {
  /** Nothing is made of anything: all are files. */
  readonly asFiles: boolean
  /** Pictures as they are, with all that is written in them. */
  readonly original: boolean
  readonly caption: Block[]
}

export function planned(all: readonly Chosen[], how: How): Wanted[] {
  const out: Wanted[] = []
  let album: Chosen[] = []
  const close = () => {
    if (album.length > 0) out.push({ kind: 'album', parts: album.map((one) => ({ blob: one.file, name: one.file.name, purpose: how.original ? 'original' : 'reduced', width: one.width, height: one.height })) })
    album = []
  }
  for (const one of all) {
    if (!how.asFiles && one.sort === 'picture') {
      album.push(one)
      if (album.length === ALBUM_MAX) close()
      continue
    }
    close()
    const part = { blob: one.file, name: one.file.name || 'file', width: one.width, height: one.height }
    if (!how.asFiles && one.sort === 'video') {
      const poster = one.poster ? [{ blob: one.poster, name: 'poster.jpg', purpose: 'poster' as const, width: one.width, height: one.height }] : []
      out.push({ kind: 'video', parts: [{ ...part, purpose: 'video' }, ...poster], durationMs: one.durationMs })
    } else out.push({ kind: 'attachment', parts: [{ ...part, purpose: 'file' }] })
  }
  close()
  // What is written belongs to the first.
  return out.map((wanted, i) => (i === 0 ? { ...wanted, caption: how.caption } : wanted))
}
