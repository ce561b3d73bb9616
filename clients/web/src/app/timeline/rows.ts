// From messages to rows: where a day begins, where the new ones begin, who goes on speaking. Pure.

/** The least that must be known of a message to place it. */
export interface Placed {
  /** Always the same for the same message, also when it gets its number. */
  key: string
  author: string
  time: number
  mine: boolean
  /** A line by the system: it ends a group and belongs to none. */
  system: boolean
  /** 0: it has no number yet. */
  sequence: number
}

export type Row<M extends Placed> =
  | { kind: 'day'; key: string; time: number }
  | { kind: 'new'; key: string }
  | { kind: 'top'; key: string }
  | { kind: 'line'; key: string; message: M }
  | { kind: 'message'; key: string; message: M; first: boolean; last: boolean }

/** How long somebody may be silent and still goes on speaking. */
export const GROUP_MS = 5 * 60 * 1000

export function rows<M extends Placed>(messages: readonly M[], options: { newAfter?: number; top?: boolean } = {}): Row<M>[] {
  const out: Row<M>[] = []
  if (options.top) out.push({ kind: 'top', key: 'top' })
  let before: M | undefined
  let opened: (Row<M> & { kind: 'message' }) | undefined
  let marked = options.newAfter === undefined
  for (const message of messages) {
    let broken = false
    // Above the first one there may be others of the same day that are not loaded yet: a divider that would go again
    // when they come would move what is being read.
    if (before ? !sameDay(before.time, message.time) : options.top) {
      out.push({ kind: 'day', key: `day-${dayOf(message.time)}-${message.key}`, time: message.time })
      broken = true
    }
    if (!marked && message.sequence > (options.newAfter as number) && !message.mine) {
      out.push({ kind: 'new', key: 'new' })
      marked = true
      broken = true
    }
    if (message.system) {
      out.push({ kind: 'line', key: message.key, message })
      opened = undefined
    } else {
      const goesOn = !broken && opened !== undefined && opened.message.author === message.author &&
        opened.message.mine === message.mine && message.time - opened.message.time < GROUP_MS
      if (goesOn && opened) opened.last = false
      opened = { kind: 'message', key: message.key, message, first: !goesOn, last: true }
      out.push(opened)
    }
    before = message
  }
  return out
}

const dayOf = (ms: number): string => {
  const d = new Date(ms)
  return `${d.getFullYear()}-${d.getMonth()}-${d.getDate()}`
}
const sameDay = (a: number, b: number): boolean => dayOf(a) === dayOf(b)
