// What a message says, as the views see it: one shape for each kind of content.proto.
//
// Nothing here is ever HTML; what is a link is looked at once more before it is one. A file is bytes that the node keeps: only
// whoever may read the message can ask for them.

export const BOLD = 1
export const ITALIC = 2
export const STRIKE = 4
export const CODE = 8

export const PARAGRAPH = 0
export const QUOTE = 1
export const BULLET = 2
export const NUMBERED = 3
export const HEADING = 4

export interface Inline { text: string; marks: number; link: string; mention: string }
export interface Block { kind: number; level: number; inlines: Inline[] }

/** hash: BLAKE3, 32 bytes; type: as found in the bytes, never as somebody said. */
export interface FileRef { hash: Uint8Array; size: number; type: string; name: string }
/** width and height in pixels, as shown; blur: a ThumbHash; thumb and reduced: smaller copies, where there are any. */
export interface Picture { file: FileRef; width: number; height: number; blur: Uint8Array; thumb?: FileRef | undefined; reduced?: FileRef | undefined }
/** authorName: as whoever forwards it says; content: of content.Content. */
export interface Line { author: string; authorName: string; timeMs: number; content: Uint8Array }

export type Said = (
  /** automatic: the node said it in the person's absence. */
  | { kind: 'text'; blocks: Block[]; automatic?: true }
  | { kind: 'code'; language: string; source: string }
  | { kind: 'system'; code: string; params: Record<string, string> }
  | { kind: 'album'; pictures: Picture[]; caption: Block[] }
  /** waveform: loudness from beginning to end, 0 to 255 each. */
  | { kind: 'voice'; file: FileRef; durationMs: number; waveform: Uint8Array }
  | { kind: 'video'; file: FileRef; durationMs: number; width: number; height: number; poster?: FileRef | undefined; blur: Uint8Array; caption: Block[] }
  | { kind: 'attachment'; file: FileRef; caption: Block[] }
  | { kind: 'sticker'; file: FileRef; width: number; height: number; code: string; pack: string }
  /** Degrees, WGS 84. */
  | { kind: 'location'; latitude: number; longitude: number; name: string; address: string }
  | { kind: 'contact'; user: string; displayName: string }
  | { kind: 'link'; url: string; title: string; description: string; site: string; picture?: Picture | undefined }
  | { kind: 'transcript'; title: string; lines: Line[] }
  | { kind: 'shake' }
  | { kind: 'unknown'; fallback: string; bytes: Uint8Array }
) & {
  /** So many seconds after it was opened it is gone on both sides. */
  burnS?: number
}
export type SaidOf<K extends Said['kind']> = Extract<Said, { kind: K }>

/** Bytes of plain text in one message, as in limits.rs. */
export const TEXT_BYTES_MAX = 64 * 1024

/** What may be a link: these schemes and no other, whatever somebody sent. */
export function safeLink(link: string): string | undefined {
  if (!/^(https?:|mailto:)/.test(link)) return undefined
  try {
    const url = new URL(link)
    return url.protocol === 'https:' || url.protocol === 'http:' || url.protocol === 'mailto:' ? url.href : undefined
  } catch {
    return undefined
  }
}

/**
 * Where a link leads, if its words do not say so honestly: the host of one with words of its own, and, as the network spells
 * it, a host that mixes scripts or is in one whose letters look Latin. Empty: the words say it.
 */
export function shownHost(link: string, words: string): string {
  let url: URL
  try {
    url = new URL(link)
  } catch {
    return ''
  }
  if (url.protocol === 'mailto:') return words.includes(url.pathname) ? '' : url.pathname
  const foreign = /(^|\.)xn--/.test(url.hostname)
  if (words !== link) return url.host
  if (!foreign || words.includes(url.hostname)) return ''
  // Chinese, Japanese and Korean names cannot be taken for Latin ones.
  const host = /^https?:\/\/(?:[^/?#@]*@)?([^/?#:]*)/.exec(words)?.[1] ?? ''
  return /^[\w.\-\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]*$/u.test(host) ? '' : url.host
}

/** What has bytes at the node. */
export function filesOf(said: Said): FileRef[] {
  switch (said.kind) {
    case 'album': return said.pictures.map((one) => one.file)
    case 'voice': case 'video': case 'attachment': case 'sticker': return [said.file]
    default: return []
  }
}

/** 0:07, 12:30, 1:02:03 */
export function lasting(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  const two = (n: number) => String(n).padStart(2, '0')
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`
}

/** The words under a picture, a video or a file; of all others none. */
export const captionOf = (said: Said): Block[] => ('caption' in said ? said.caption : [])

function written(blocks: readonly Block[]): string {
  let number = 0
  return blocks
    .map((block) => {
      const text = block.inlines.map((inline) => inline.text).join('')
      number = block.kind === NUMBERED ? number + 1 : 0
      if (block.kind === BULLET) return `${'  '.repeat(block.level)}• ${text}`
      if (block.kind === NUMBERED) return `${'  '.repeat(block.level)}${number}. ${text}`
      return text
    })
    .join('\n')
}

/** As plain text: for copying, for quotes, for the announcer. What is no text has as much of it as was written with it. */
export function plain(said: Said): string {
  switch (said.kind) {
    case 'text':
      return written(said.blocks)
    case 'code':
      return said.source
    case 'unknown':
      return said.fallback
    case 'album': case 'video':
      return written(said.caption)
    case 'attachment':
      return [said.file.name, written(said.caption)].filter(Boolean).join('\n')
    case 'sticker':
      return said.code
    case 'location':
      return [said.name, said.address, `${said.latitude},${said.longitude}`].filter(Boolean).join('\n')
    case 'contact':
      return [said.displayName, said.user].filter(Boolean).join(' ')
    case 'link':
      return [said.title, said.url].filter(Boolean).join('\n')
    case 'transcript':
      return said.title
    case 'voice': case 'shake': case 'system':
      return ''
  }
}

/** In one line, for lists and quotes. */
export function oneLine(said: Said, max = 160): string {
  const text = plain(said).replace(/\s+/g, ' ').trim()
  return text.length > max ? `${text.slice(0, max)}…` : text
}

/** A message of a few emoji and nothing else is shown larger. */
export function onlyEmoji(said: Said): boolean {
  if (said.kind !== 'text' || said.blocks.length !== 1) return false
  const inlines = said.blocks[0]?.inlines ?? []
  if (inlines.some((inline) => inline.marks || inline.link || inline.mention)) return false
  const text = inlines.map((inline) => inline.text).join('').trim()
  if (text === '' || text.length > 40) return false
  if (!/^(?:\p{RGI_Emoji}|\s)+$/v.test(text)) return false
  return [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text)].filter((s) => s.segment.trim()).length <= 3
}
