// Finding known people by what is typed. Pure.

import type { Known } from '../rooms/node'

const plain = (text: string): string => text.normalize('NFKC').toLocaleLowerCase()

/** Those whose name or address has every word typed in it; names that begin with it first. */
export function found<T extends Known>(all: readonly T[], typed: string): readonly T[] {
  const words = plain(typed).split(/\s+/).filter(Boolean)
  if (words.length === 0) return all
  const rank = (k: T): number => {
    const name = plain(k.displayName)
    const user = plain(k.user)
    if (!words.every((w) => name.includes(w) || user.includes(w))) return -1
    const first = words[0] as string
    return name.startsWith(first) || user.startsWith(first) ? 0 : 1
  }
  return all
    .map((k, i) => ({ k, i, rank: rank(k) }))
    .filter((x) => x.rank >= 0)
    .sort((a, b) => a.rank - b.rank || a.i - b.i)
    .map((x) => x.k)
}
