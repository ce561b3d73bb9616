// What people type, as content, and content back as what they typed.
//
// A few marks that everybody knows: **bold**, *italic*, ~~strike~~, `code`, > quote, - list, 1. list, # heading, ``` code ```.
// What is not clearly a mark stays what it is: an unclosed star is a star. Pure.

import {
  BOLD, BULLET, CODE, HEADING, ITALIC, NUMBERED, PARAGRAPH, QUOTE, STRIKE, safeLink, type Block, type Inline, type Said,
} from '../content'

/** Words of the text that call somebody: `@Ann` → `ann@a.example`, `@all` → `@all`. */
export type Mentions = ReadonlyMap<string, string>

const LEVEL_MAX = 7
const FENCE = /^```([\w+#.-]*)\s*$/

/** Undefined if nothing is said. */
export function toContent(typed: string, mentions: Mentions = new Map()): Said | undefined {
  // Control characters but line feed and tab are not allowed in a text.
  const clean = typed.replace(/\r\n?/g, '\n').replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
  if (clean.trim() === '') return undefined
  const lines = trimmed(clean.split('\n'))
  const alone = fenced(lines)
  if (alone) return alone.source === '' ? undefined : { kind: 'code', ...alone }
  const blocks: Block[] = []
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string
    const end = FENCE.test(line) ? lines.indexOf('```', i + 1) : -1
    if (end > i + 1) {
      blocks.push({ kind: PARAGRAPH, level: 0, inlines: [inline(lines.slice(i + 1, end).join('\n'), CODE)] })
      i = end
    } else blocks.push(block(line, mentions))
  }
  return { kind: 'text', blocks }
}

function trimmed(lines: string[]): string[] {
  let from = 0
  let to = lines.length
  while (from < to && lines[from]?.trim() === '') from++
  while (to > from && lines[to - 1]?.trim() === '') to--
  return lines.slice(from, to)
}

function fenced(lines: string[]): { language: string; source: string } | undefined {
  const opened = FENCE.exec(lines[0] ?? '')
  if (!opened || lines.length < 2 || lines.indexOf('```', 1) !== lines.length - 1) return undefined
  return { language: opened[1] ?? '', source: lines.slice(1, -1).join('\n') }
}

function block(line: string, mentions: Mentions): Block {
  const quote = /^((?:> ?)+)(.*)$/.exec(line)
  if (quote) return made(QUOTE, (quote[1]?.match(/>/g)?.length ?? 1) - 1, quote[2] ?? '', mentions)
  const bullet = /^(\s*)[-*•] (.+)$/.exec(line)
  if (bullet) return made(BULLET, depth(bullet[1]), bullet[2] ?? '', mentions)
  const numbered = /^(\s*)\d{1,3}[.)] (.+)$/.exec(line)
  if (numbered) return made(NUMBERED, depth(numbered[1]), numbered[2] ?? '', mentions)
  const heading = /^#{1,3} (.+)$/.exec(line)
  if (heading) return made(HEADING, 0, heading[1] ?? '', mentions)
  return made(PARAGRAPH, 0, line, mentions)
}

const depth = (space = ''): number => Math.floor(space.replaceAll('\t', '  ').length / 2)

const made = (kind: number, level: number, text: string, mentions: Mentions): Block => ({
  kind, level: Math.min(level, LEVEL_MAX), inlines: text === '' ? [] : inlines(text, 0, mentions),
})

const inline = (text: string, marks = 0, link = '', mention = ''): Inline => ({ text, marks, link, mention })

const MARKS: readonly { open: string; mark: number }[] = [
  { open: '`', mark: CODE },
  { open: '**', mark: BOLD },
  { open: '~~', mark: STRIKE },
  { open: '*', mark: ITALIC },
  { open: '_', mark: ITALIC },
]

function inlines(text: string, marks: number, mentions: Mentions): Inline[] {
  const out: Inline[] = []
  let plain = ''
  const flush = () => {
    if (plain !== '') out.push(inline(plain, marks))
    plain = ''
  }
  let i = 0
  outer: while (i < text.length) {
    const rest = text.slice(i)
    if (rest[0] === '\\' && /^\\[\\`*_~]/.test(rest)) {
      plain += rest[1]
      i += 2
      continue
    }
    const called = calling(rest, text[i - 1], mentions)
    if (called) {
      flush()
      out.push(inline(called.word, marks, '', called.user))
      i += called.word.length
      continue
    }
    const link = linked(rest, text[i - 1])
    if (link) {
      flush()
      out.push(inline(link.words, marks, link.to))
      i += link.taken
      continue
    }
    for (const { open, mark } of MARKS) {
      if (!rest.startsWith(open) || marks & mark) continue
      const end = closing(text, i, open)
      if (end < 0) continue
      flush()
      const inside = text.slice(i + open.length, end)
      if (mark === CODE) out.push(inline(inside, marks | CODE))
      else out.push(...inlines(inside, marks | mark, mentions))
      i = end + open.length
      continue outer
    }
    plain += text[i]
    i++
  }
  flush()
  return out
}

/** Where a mark that opens at `at` closes; −1: it is none. Words that only contain a mark (`a_b_c`, `2*3*4`) have none. */
function closing(text: string, at: number, open: string): number {
  const word = /[\p{L}\p{N}]/u
  const inner = text[at + open.length]
  if (inner === undefined || (open !== '`' && /\s/.test(inner)) || inner === open[0]) return -1
  // Only between Latin letters: Chinese has no spaces around a mark.
  if ((open === '_' || open === '*') && /[A-Za-z0-9]/.test(text[at - 1] ?? '')) return -1
  for (let end = text.indexOf(open, at + open.length + 1); end >= 0; end = text.indexOf(open, end + 1)) {
    if (open === '`') return end
    if (/\s/.test(text[end - 1] ?? ' ')) continue
    if (open.length === 1 && (text[end + 1] === open || text[end - 1] === open)) continue
    if (open === '_' && word.test(text[end + 1] ?? '')) continue
    // Of three stars the outer two close the bold.
    return open === '**' && text[end + 2] === '*' ? end + 1 : end
  }
  return -1
}

/** An address in the text, or [words](address). */
function linked(rest: string, before: string | undefined): { words: string; to: string; taken: number } | undefined {
  const named = /^\[([^\]\n]{1,500})\]\(((?:https?:|mailto:)[^\s()]{1,2000})\)/.exec(rest)
  if (named?.[1] && named[2] && safeLink(named[2])) return { words: named[1], to: named[2], taken: named[0].length }
  if (before !== undefined && /[\p{Script=Latin}\p{N}]/u.test(before)) return undefined
  // Chinese punctuation and characters end an address that stands in a Chinese sentence.
  const bare = /^https?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uffef\u2018-\u201d\p{Script=Han}]{2,2000}/u.exec(rest)
  if (!bare) return undefined
  let address = bare[0].replace(/[.,;:!?*~]+$/, '')
  if (address.endsWith(')') && !address.includes('(')) address = address.slice(0, -1)
  return safeLink(address) ? { words: address, to: address, taken: address.length } : undefined
}

function calling(rest: string, before: string | undefined, mentions: Mentions): { word: string; user: string } | undefined {
  if (rest[0] !== '@' || (before !== undefined && /[A-Za-z0-9]/.test(before))) return undefined
  let found: { word: string; user: string } | undefined
  for (const [word, user] of mentions) if (rest.startsWith(word) && word.length > (found?.word.length ?? 0)) found = { word, user }
  return found
}

/** What is to be typed to say this: for editing. */
export function toTyped(said: Said): { typed: string; mentions: Map<string, string> } {
  const mentions = new Map<string, string>()
  if (said.kind === 'code') return { typed: `\`\`\`${said.language}\n${said.source}\n\`\`\``, mentions }
  if (said.kind !== 'text') return { typed: '', mentions }
  let number = 0
  const lines = said.blocks.map((one) => {
    const only = one.inlines.length === 1 ? one.inlines[0] : undefined
    if (only && only.marks === CODE && only.text.includes('\n')) return `\`\`\`\n${only.text}\n\`\`\``
    const text = typedRun(one.inlines, 0, mentions)
    number = one.kind === NUMBERED ? number + 1 : 0
    const before = {
      [QUOTE]: `${'>'.repeat(one.level + 1)} `, [BULLET]: `${'  '.repeat(one.level)}- `, [NUMBERED]: `${'  '.repeat(one.level)}${number}. `, [HEADING]: '# ',
    }[one.kind]
    return (before ?? '') + text
  })
  return { typed: lines.join('\n'), mentions }
}

/** Neighbours that share a mark stand inside one pair of it; spaces at its edges stand outside. */
function typedRun(parts: readonly Inline[], open: number, mentions: Map<string, string>): string {
  let out = ''
  for (let i = 0; i < parts.length; ) {
    const part = parts[i] as Inline
    // The mark that goes on the longest is outside.
    const until = (mark: number) => {
      let to = i
      while (to < parts.length && (parts[to] as Inline).marks & mark) to++
      return to
    }
    const mark = [BOLD, STRIKE, ITALIC].filter((one) => part.marks & one & ~open).sort((a, b) => until(b) - until(a))[0]
    if (!mark) {
      out += typedInline(part, mentions)
      i++
      continue
    }
    const to = until(mark)
    const [, before = '', inside = '', after = ''] = /^(\s*)([^]*?)(\s*)$/.exec(typedRun(parts.slice(i, to), open | mark, mentions)) ?? []
    const sign = mark === BOLD ? '**' : mark === STRIKE ? '~~' : open & BOLD || out.endsWith('*') ? '_' : '*'
    out += inside === '' ? before + after : before + sign + inside + sign + after
    i = to
  }
  return out
}

function typedInline(part: Inline, mentions: Map<string, string>): string {
  if (part.mention) mentions.set(part.text, part.mention)
  if (part.marks & CODE) return `\`${part.text}\``
  if (part.link) return part.link === part.text ? part.text : `[${part.text}](${part.link})`
  if (part.mention) return part.text
  return part.text.replace(/[\\`*_~]/g, (sign, at: number) => escaped(part.text, sign, at))
}

/** A sign that would be no mark anyway needs no stroke before it. */
const escaped = (text: string, sign: string, at: number): string =>
  sign === '\\' ? (/[\\`*_~]/.test(text[at + 1] ?? '') ? '\\\\' : sign)
  : text.split(sign).length > 2 || text[at + 1] === sign || text[at - 1] === sign ? `\\${sign}` : sign
