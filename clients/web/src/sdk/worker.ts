// The worker's beginning. The same file is a SharedWorker, whose tabs come by ports, and a dedicated worker that one tab
// keeps for all, whose tabs speak on a channel (led.ts).
//
// Only one worker of a browser works on the accounts at a time, whatever its sort or version: it holds a lock. One that
// does not get it waits and says so once on a channel; the other's tabs are told that they are stale, and load again. One
// that takes the place of a worker that sleeps takes the lock, too; the other stops when it wakes.

import { Host } from './host'
import { channelOf, serveChannel, type Channel } from './led'
import { thrown, type Down, type Up } from './ports'
import type { Wire } from './socket'
import type { World } from './world'

interface Port {
  postMessage(message: Down): void
  onmessage: ((event: MessageEvent<Up>) => void) | null
}
interface Scope {
  onconnect?: ((event: MessageEvent & { ports: readonly Port[] }) => void) | null
}

const ENGINE = 'startalk-engine'

/** How it was started by a tab that takes the place of a worker that sleeps (connect.ts). */
const steals = (globalThis as { name?: string }).name?.endsWith(' steals') ?? false

const host: Promise<Host> = begin()
host.catch(() => undefined) // each call says so

function begin(): Promise<Host> {
  const wanted = new BroadcastChannel(ENGINE)
  return new Promise((resolve, reject) => {
    const open = async (): Promise<void> => {
      const opened = world().then((w) => Host.open(w))
      opened.then(resolve, reject)
      wanted.onmessage = () => void opened.then((h) => h.stale())
      await opened
      await new Promise<void>(() => undefined) // held until this worker is no more
    }
    const locks = (navigator as { locks?: LockManager }).locks
    if (!locks) return void open().catch(reject)
    const hold = (options: LockOptions) => {
      locks.request(ENGINE, options, open).catch((error: unknown) => {
        reject(error)
        // Another worker took it while this one slept: only one works on the accounts.
        void host.then((h) => h.stop(), () => undefined)
      })
    }
    if (steals) return hold({ steal: true })
    void locks.request(ENGINE, { ifAvailable: true }, async (lock) => {
      if (lock) return open()
      wanted.postMessage('wanted')
      hold({})
    }).catch((error: unknown) => {
      // Also where pages may keep nothing: then there is nothing that two could spoil.
      if (error instanceof DOMException && error.name === 'SecurityError') void open().catch(reject)
      else {
        reject(error)
        void host.then((h) => h.stop(), () => undefined)
      }
    })
  })
}

/** Where a browser keeps nothing (some do in private windows), it is kept as long as this worker lives, and said. */
async function world(): Promise<World> {
  const isKept = await keeps()
  if (!isKept) await import('./forgetful')
  return {
    factory: indexedDB,
    isKept,
    openWire: (url) => new WebSocket(url) as unknown as Wire,
    fetch: (input, init) => fetch(input, init),
    origin: location.origin,
    language: navigator.language,
  }
}

function keeps(): Promise<boolean> {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open('startalk-probe', 1)
      request.onerror = () => resolve(false)
      request.onsuccess = () => {
        request.result.close()
        resolve(true)
      }
    } catch {
      resolve(false)
    }
  })
}

/** Takes what a tab says, also before the host is open. */
function attach(send: (down: Down) => void): { up: (up: Up) => void; leave: () => void } {
  const attached = host.then((h) => h.attach(send))
  return {
    up: (up) => void attached.then((a) => a.up(up), (error: unknown) => {
      if (up.k === 'call') send(thrown(up.id, error))
    }),
    leave: () => void attached.then((a) => a.leave(), () => undefined),
  }
}

const scope = globalThis as Scope
if ('onconnect' in scope) {
  scope.onconnect = (event) => {
    for (const port of event.ports) {
      const tab = attach((down) => port.postMessage(down))
      port.onmessage = ({ data }) => {
        tab.up(data)
        // The tab holds a lock of its name as long as it lives.
        if (data.k === 'hi') void (navigator as { locks?: LockManager }).locks?.request(data.tab, tab.leave)
      }
      port.postMessage({ k: 'here' })
    }
  }
} else serveChannel(new BroadcastChannel(channelOf(location.pathname)) as unknown as Channel, attach)
