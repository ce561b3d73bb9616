// Where something was found, as parts of a text to be shown. Ranges count Unicode characters; strings here count UTF-16
// units. Pure.

import type { Range } from '../app/model'

export interface Part { readonly text: string; readonly hit: boolean }

/** The text in parts, in order; ranges that are not in it are left out. */
export function parts(text: string, ranges: readonly Range[]): Part[] {
  if (ranges.length === 0) return text === '' ? [] : [{ text, hit: false }]
  const chars = [...text]
  const out: Part[] = []
  const add = (from: number, to: number, hit: boolean) => {
    if (to > from) out.push({ text: chars.slice(from, to).join(''), hit })
  }
  let at = 0
  for (const [first, count] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const from = Math.max(at, first)
    const to = Math.min(chars.length, first + count)
    if (to <= from) continue
    add(at, from, false)
    add(from, to, true)
    at = to
  }
  add(at, chars.length, false)
  return out
}

/** What was found, as it is written there, each once. */
export function hits(text: string, ranges: readonly Range[]): string[] {
  return [...new Set(parts(text, ranges).filter((one) => one.hit).map((one) => one.text))]
}

/** Where words stand in a text that was found here, without the node: as they are written, whatever their case. */
export function places(text: string, word: string): Range[] {
  const chars = [...text].map((char) => char.toLocaleLowerCase())
  const out: Range[] = []
  for (const wanted of word.toLocaleLowerCase().split(/\s+/).filter(Boolean)) {
    const letters = [...wanted]
    for (let at = 0; at + letters.length <= chars.length; at++) {
      if (letters.every((letter, i) => chars[at + i] === letter)) {
        out.push([at, letters.length])
        break
      }
    }
  }
  return out
}
