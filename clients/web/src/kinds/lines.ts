// Runs of code cut at the ends of lines; what goes over several lines is of its sort in each of them. Pure.

import type { Token } from './highlight.svelte'

export function inLines(tokens: readonly Token[]): (readonly Token[])[] {
  const lines: Token[][] = [[]]
  for (const token of tokens) {
    const parts = typeof token === 'string' ? token.split('\n').map((text): Token[] => (text ? [text] : [])) : inLines(token.parts).map((inside): Token[] => (inside.length > 0 ? [{ sort: token.sort, parts: inside }] : []))
    parts.forEach((part, i) => {
      if (i > 0) lines.push([])
      lines.at(-1)?.push(...part)
    })
  }
  return lines
}
