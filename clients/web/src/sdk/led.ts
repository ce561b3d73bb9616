// Where there is no SharedWorker: one tab, the one that has a lock, keeps a dedicated worker for all, and everybody speaks
// on a channel. When that tab goes, the next one gets the lock and starts a worker, which says that it is there.

import type { Caller, Down, Up } from './ports'

export type Said =
  | { readonly to: 'worker'; readonly from: string; readonly up: Up | { readonly k: 'who' } }
  | { readonly to: string; readonly down: Down }
  /** A worker is there; another than before if `epoch` is another. */
  | { readonly to: 'all'; readonly epoch: string }

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

/** A tab's end: how it speaks to whichever worker there is. `caller` is given what comes. */
export function joinChannel(channel: Channel, me: string, caller: () => Caller): (up: Up) => void {
  let epoch: string | undefined
  channel.onmessage = ({ data }) => {
    if ('down' in data) {
      if (data.to === me) caller().down(data.down)
    } else if ('epoch' in data && data.epoch !== epoch) {
      // What was said before there was any worker was heard by nobody.
      const first = epoch === undefined
      epoch = data.epoch
      caller().again(first)
    }
  }
  channel.postMessage({ to: 'worker', from: me, up: { k: 'who' } })
  return (up) => {
    if (epoch !== undefined) channel.postMessage({ to: 'worker', from: me, up })
  }
}

/** Waits for its turn to keep the worker; `start` begins it. Held as long as the tab lives. */
export function lead(locks: Pick<LockManager, 'request'>, start: () => void): void {
  void locks.request('startalk-leader', () => {
    start()
    return new Promise<void>(() => undefined)
  })
}
