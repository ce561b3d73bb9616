// Which numbers of a conversation were looked at: disjoint stretches [first, last], ascending, never touching. Numbers
// without a message are normal (edits, recalls and marks take numbers too), so only what was looked at says what is missing.

export type Known = readonly (readonly [number, number])[]

export function add(known: Known, first: number, last: number): Known {
  if (last < first) return known
  const out: [number, number][] = []
  let [from, to] = [first, last]
  for (const [a, b] of known) {
    if (b + 1 < from || a > to + 1) out.push([a, b])
    else [from, to] = [Math.min(from, a), Math.max(to, b)]
  }
  out.push([from, to])
  return out.sort((x, y) => x[0] - y[0])
}

/** The stretch that has this number. */
export function holding(known: Known, sequence: number): readonly [number, number] | undefined {
  return known.find(([a, b]) => a <= sequence && sequence <= b)
}

/** The end of the highest one; 0: nothing is known. */
export function top(known: Known): number {
  return known.at(-1)?.[1] ?? 0
}

/** How many of first..=last were not looked at. */
export function missing(known: Known, first: number, last: number): number {
  let count = Math.max(0, last - first + 1)
  for (const [a, b] of known) count -= Math.max(0, Math.min(b, last) - Math.max(a, first) + 1)
  return Math.max(0, count)
}

/** The highest gap below `head` and above `floor`: [first, last] of it. */
export function gap(known: Known, floor: number, head: number): readonly [number, number] | undefined {
  if (head < floor) return undefined
  const last = known.at(-1)
  if (!last || last[1] < head) return [Math.max(floor, (last?.[1] ?? 0) + 1), head]
  const before = known.at(-2)
  return before ? [before[1] + 1, last[0] - 1] : undefined
}
