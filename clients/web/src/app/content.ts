// What a message says, as the views see it: blocks of inlines with marks, code, or a line by the system.
//
// The shapes are those of content.proto. Nothing here is ever HTML; what is a link is looked at once more before it is one.

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

export type Said =
  /** automatic: the node said it in the person's absence. */
  | { kind: 'text'; blocks: Block[]; automatic?: true }
  | { kind: 'code'; language: string; source: string }
  | { kind: 'system'; code: string; params: Record<string, string> }
  | { kind: 'unknown'; fallback: string; bytes: Uint8Array }

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

/** As plain text: for copying, for quotes, for the announcer. */
export function plain(said: Said): string {
  switch (said.kind) {
    case 'text': {
      let number = 0
      return said.blocks
        .map((block) => {
          const text = block.inlines.map((inline) => inline.text).join('')
          number = block.kind === NUMBERED ? number + 1 : 0
          if (block.kind === BULLET) return `${'  '.repeat(block.level)}• ${text}`
          if (block.kind === NUMBERED) return `${'  '.repeat(block.level)}${number}. ${text}`
          return text
        })
        .join('\n')
    }
    case 'code':
      return said.source
    case 'unknown':
      return said.fallback
    case 'system':
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
