// Several messages as one record. Pure.

import type { Line, Said } from './content'
import type { Message } from './model'
import { encodeContent } from './wire'

/** Lines of one record, and bytes of one message, as in limits.rs; with room for what is around them. */
const LINES_MAX = 100
const BYTES_MAX = 120 * 1024
/** Bytes of a title. */
const TITLE_MAX = 512
/** Files that one message may refer to. */
const FILES_MAX = 200

/** As few records as hold them all, in their order. */
export function merged(messages: readonly Message[], title: string, name: (user: string) => string): Said[] {
  const records: Line[][] = []
  let bytes = 0
  let files = 0
  for (const one of messages) {
    const line = { author: one.author, authorName: one.author ? name(one.author) : '', timeMs: one.sentTime || one.time, content: encodeContent(one.said) }
    const [size, held] = [line.content.length + line.author.length + 200, filesIn(one.said)]
    if (records.length === 0 || (records.at(-1)?.length ?? 0) >= LINES_MAX || bytes + size > BYTES_MAX || files + held > FILES_MAX) {
      records.push([])
      bytes = files = 0
    }
    records.at(-1)?.push(line)
    bytes += size
    files += held
  }
  while (new TextEncoder().encode(title).length > TITLE_MAX) title = title.slice(0, -8)
  return records.map((lines) => ({ kind: 'transcript', title, lines }))
}

/** With the copies of pictures. */
function filesIn(said: Said): number {
  switch (said.kind) {
    case 'album': return said.pictures.reduce((sum, one) => sum + 1 + (one.thumb ? 1 : 0) + (one.reduced ? 1 : 0), 0)
    case 'video': return 2
    case 'voice': case 'attachment': case 'sticker': return 1
    case 'link': return said.picture ? 3 : 0
    // Not looked into: what may be in one that was taken.
    case 'transcript': return 40
    default: return 0
  }
}
