// What stands before the caret and could be completed: `@na` a member, `:smi` an emoji. Pure.

export interface Asked {
  sign: '@' | ':'
  word: string
  /** Where the sign stands. */
  from: number
  to: number
}

const WORD_MAX = 40

export function asked(text: string, caret: number): Asked | undefined {
  const before = text.slice(Math.max(0, caret - WORD_MAX), caret)
  const found = /([@:])([^\s@:]*)$/u.exec(before)
  if (!found) return undefined
  const sign = found[1] as '@' | ':'
  const word = found[2] ?? ''
  const from = caret - word.length - 1
  const left = text[from - 1] ?? ' '
  // ann@b is an address and 10:30 a time.
  if (/[A-Za-z0-9]/.test(left)) return undefined
  if (sign === ':' && !/^[a-z\p{Script=Han}][\w\p{Script=Han}+-]*$/iu.test(word)) return undefined
  if (sign === ':' && /^[A-Za-z]/.test(word) && word.length < 2) return undefined
  return { sign, word, from, to: caret }
}

/** The text with what was chosen in place of what was asked, and where the caret goes. */
export function completed(text: string, ask: Asked, chosen: string): { text: string; caret: number } {
  const after = text.slice(ask.to)
  const space = /^\s/.test(after) ? '' : ' '
  return { text: text.slice(0, ask.from) + chosen + space + after, caret: ask.from + chosen.length + 1 }
}

/** How well one of the names fits, less is better: it is the word, begins so, has a word that begins so, has it inside. undefined: none does. */
export function rankOf(names: readonly string[], word: string): number | undefined {
  const wanted = word.toLocaleLowerCase()
  let rank: number | undefined
  for (const name of names) {
    const where = name.toLocaleLowerCase().indexOf(wanted)
    if (where < 0) continue
    const of = where === 0 ? (name.length === word.length ? 0 : 1) : /[\s._-]/.test(name[where - 1] ?? '') ? 2 : 3
    rank = Math.min(rank ?? of, of)
  }
  return rank
}

/** The best first. */
export function ranked<T>(all: readonly T[], word: string, names: (one: T) => readonly string[], max: number): T[] {
  const found: { one: T; rank: number; at: number }[] = []
  all.forEach((one, at) => {
    const rank = rankOf(names(one), word)
    if (rank !== undefined) found.push({ one, rank, at })
  })
  return found.sort((a, b) => a.rank - b.rank || a.at - b.at).slice(0, max).map((f) => f.one)
}
