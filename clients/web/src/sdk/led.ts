// Where there is no SharedWorker: one tab, the one that has a lock, keeps a dedicated worker for all, and everybody speaks
// on a channel. When that tab goes, the next one gets the lock and starts a worker, which says that it is there. A tab that a
// browser has put to sleep keeps its lock and says nothing: then the next one takes it.

import type { Caller, Down, Up } from './ports'

export type Said =
  | { readonly to: 'worker'; readonly from: string; readonly up: Up | { readonly k: 'who' } }
  | { readonly to: string; readonly down: Down }
  /** A worker is there; another than before if `epoch` is another. */
  | { readonly to: 'all'; readonly epoch: string }

/**
 * How long the worker may say nothing before it is asked whether it is there: of itself, to what it is told, and to that
 * question. It is asked of itself, too, because it may have answered and fallen asleep before it was done, and what comes
 * from others is heard by nobody while it sleeps.
 */
const QUIET_MS = 20_000
const SILENT_MS = 8_000
const DEAF_MS = 4_000

/** Of the tabs of one version, by the address of its worker: the name of their channel, and of their leader's lock. */
export const channelOf = (worker: string): string => `startalk-led ${worker}`

/** What is needed of a BroadcastChannel. */
export interface Channel {
  postMessage(message: Said): void
  onmessage: ((event: { data: Said }) => void) | null
}

/** The worker's end. */
export function serveChannel(
  channel: Channel, attach: (send: (down: Down) => void) => { up: (up: Up) => void; leave: () => void },
  epoch: string = crypto.randomUUID(),
): void {
  const tabs = new Map<string, ReturnType<typeof attach>>()
  channel.onmessage = ({ data }) => {
    if (data.to !== 'worker' || !('up' in data)) return
    const { from, up } = data
    if (up.k === 'who') {
      channel.postMessage({ to: 'all', epoch })
      return
    }
    let tab = tabs.get(from)
    if (!tab) {
      tab = attach((down) => channel.postMessage({ to: from, down }))
      tabs.set(from, tab)
    }
    if (up.k === 'bye') tabs.delete(from)
    tab.up(up)
    if (up.k === 'hi') {
      const gone = tab.leave
      void (navigator as { locks?: LockManager }).locks?.request(up.tab, () => {
        tabs.delete(from)
        gone()
      })
    }
  }
  channel.postMessage({ to: 'all', epoch })
}

/**
 * A tab's end: how it speaks to whichever worker there is. `caller` is given what comes; `usurp` is called when the worker
 * does not answer any more.
 */
export function joinChannel(channel: Channel, me: string, caller: () => Caller, usurp: () => void = () => undefined): (up: Up) => void {
  let epoch: string | undefined
  let doubt: ReturnType<typeof setTimeout>
  let isAwaited = false
  const who = () => channel.postMessage({ to: 'worker', from: me, up: { k: 'who' } })
  const askAfter = (silence: number) => {
    clearTimeout(doubt)
    doubt = setTimeout(() => {
      isAwaited = true
      who()
      doubt = setTimeout(() => {
        heard()
        usurp()
      }, DEAF_MS)
    }, silence)
  }
  const heard = () => {
    isAwaited = false
    askAfter(QUIET_MS)
  }
  const expect = () => {
    if (isAwaited) return
    isAwaited = true
    askAfter(SILENT_MS)
  }
  channel.onmessage = ({ data }) => {
    if (data.to === me || data.to === 'all') heard()
    if ('down' in data) {
      if (data.to === me) caller().down(data.down)
    } else if ('epoch' in data && data.epoch !== epoch) {
      // What was said before there was any worker was heard by nobody.
      const first = epoch === undefined
      epoch = data.epoch
      caller().again(first)
    }
  }
  who()
  expect()
  return (up) => {
    expect()
    if (epoch !== undefined) channel.postMessage({ to: 'worker', from: me, up })
  }
}

/**
 * Waits for its turn to keep the worker; `start` begins it. Held as long as the tab lives, unless another tab takes it: then
 * `end` is called, and this one waits again. `usurp` takes it from who has it.
 */
export function lead(locks: Pick<LockManager, 'request'>, name: string, start: (steals: boolean) => void, end: () => void): { usurp: () => void } {
  let leads = false
  const hold = (steals: boolean) => () => {
    leads = true
    start(steals)
    return new Promise<void>(() => undefined)
  }
  const lost = () => {
    if (leads) end()
    leads = false
    wait()
  }
  let waiting: AbortController
  const wait = () => {
    const { signal } = (waiting = new AbortController())
    locks.request(name, { signal }, hold(false)).catch(() => {
      if (!signal.aborted) lost()
    })
  }
  wait()
  return {
    usurp: () => {
      if (leads) return
      waiting.abort()
      locks.request(name, { steal: true }, hold(true)).catch(lost)
    },
  }
}
