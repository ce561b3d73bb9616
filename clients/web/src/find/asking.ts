// What somebody looks for: words and filters, and the order that the node is given for them. Pure.

import type { FoundKind, SearchOrder } from '../app/model'

export type Tab = 'all' | 'people' | 'groups' | 'messages'

export interface Filters {
  readonly from?: { readonly user: string; readonly name: string } | undefined
  readonly inside?: { readonly id: string; readonly name: string } | undefined
  readonly kind?: FoundKind | undefined
  /** Not before, and before; milliseconds. */
  readonly after?: number | undefined
  readonly before?: number | undefined
}

export const filtered = (filters: Filters): boolean =>
  Boolean(filters.from || filters.inside || filters.kind || filters.after || filters.before)

/** Hits of each sort where all are shown, and of one sort. */
const FEW = 6
const MANY = 30

/** undefined: nothing is looked for. Filters are about messages alone. */
export function orderOf(words: string, tab: Tab, filters: Filters): SearchOrder | undefined {
  const query = words.trim()
  if (tab !== 'messages') {
    if (query === '') return undefined
    return { query, limit: tab === 'all' ? FEW : MANY, ...(tab === 'all' ? {} : { sorts: [tab] }) }
  }
  // By a conversation alone everything in it would be found: that is reading, not searching.
  if (query === '' && !(filters.from || filters.kind || filters.after || filters.before)) return undefined
  return {
    query, sorts: ['messages'], limit: MANY, conversation: filters.inside?.id, from: filters.from?.user, kind: filters.kind,
    afterMs: filters.after, beforeMs: filters.before,
  }
}

const two = (n: number): string => String(n).padStart(2, '0')
/** As a field for a day has it, by the calendar of this place. */
export const writtenDay = (ms: number): string => {
  const d = new Date(ms)
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`
}
/** Where a day begins here, `later` days on; undefined: it is none. */
export function dayOf(written: string, later = 0): number | undefined {
  const [year, month, date] = written.split('-').map(Number)
  return year && month && date ? new Date(year, month - 1, date + later).getTime() : undefined
}
