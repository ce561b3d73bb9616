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
  /** `message` is the last of a run; `before`: the others of it. The key is the last one's, which older ones do not change. */
  | { kind: 'line'; key: string; message: M; before: readonly M[] }
  | { kind: 'message'; key: string; message: M; first: boolean; last: boolean }

/** How long somebody may be silent and still goes on speaking. */
export const GROUP_MS = 5 * 60 * 1000

interface Options<M> {
  newAfter?: number
  top?: boolean
  /** Lines by the system of which this says the same, one after the other, are one row: who came, whom somebody added. */
  gathers?: (message: M) => string | undefined
}

export function rows<M extends Placed>(messages: readonly M[], options: Options<M> = {}): Row<M>[] {
  const out: Row<M>[] = []
  if (options.top) out.push({ kind: 'top', key: 'top' })
  let before: M | undefined
  let opened: (Row<M> & { kind: 'message' }) | undefined
  let marked = options.newAfter === undefined
  for (const message of messages) {
    let broken = false
    const run = out.at(-1)
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
      const gathers = options.gathers?.(message)
      if (!broken && run?.kind === 'line' && gathers !== undefined && gathers === options.gathers?.(run.message)) out[out.length - 1] = { kind: 'line', key: message.key, message, before: [...run.before, run.message] }
      else out.push({ kind: 'line', key: message.key, message, before: [] })
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
