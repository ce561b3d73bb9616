// A tab's way to the worker that all tabs share. Nothing of protocol or storage is loaded into the page.

import { scriptUrl } from '../trusted'
import type { Sdk } from './api'
import type { Channel } from './led'
import { Caller, type Down, type Up } from './ports'
import { TabSdk } from './tab'
import workerUrl from './worker.ts?worker&url'

const NAME = 'startalk'
/** A tab of an earlier version loads anew when nobody has touched it for so long: what is typed is kept by then. */
const UNTOUCHED_MS = 3_000
/**
 * A shared worker that says nothing for so long is asked for again, which leads to the same one if it is only slow. Chromium
 * may lose the event that it could not be loaded, and then there would never be anything on the page.
 */
const SILENT_MS = 4_000

/** `onstale`: another version of this program waits for the accounts that this one works on. */
export function connect(onstale: () => void = reloadUntouched): Sdk {
  const tab = `startalk-tab-${crypto.randomUUID()}`
  let sort: Sdk['sort'] = 'shared'
  let carry: (up: Up) => void = () => undefined
  const caller = new Caller((up) => carry(up))
  caller.onstale = onstale

  // Loaded where it is needed. What is asked meanwhile is heard by nobody, and asked again when there is a worker.
  const led = () => {
    sort = 'led'
    carry = () => undefined
    void import('./led').then(({ channelOf, joinChannel, lead }) => {
      // Tabs of one version have one leader: another version's worker may speak otherwise.
      const name = channelOf(new URL(workerUrl, location.href).pathname)
      let end: () => void = () => undefined
      const leader = lead(navigator.locks, name, (steals) => {
        const worker = new Worker(scriptUrl(workerUrl), { type: 'module', name: steals ? `${NAME} steals` : NAME })
        end = () => worker.terminate()
      }, () => end())
      carry = joinChannel(new BroadcastChannel(name) as unknown as Channel, tab, () => caller, leader.usurp)
    })
  }
  // Nothing is said to a worker before it has said that it is there: what is asked until then is asked of it in that moment.
  const shared = () => {
    let heard: SharedWorker | undefined
    let again: ReturnType<typeof setTimeout>
    const knock = () => {
      const worker = new SharedWorker(scriptUrl(workerUrl), { type: 'module', name: NAME })
      worker.port.onmessage = ({ data }: MessageEvent<Down>) => {
        if (sort === 'led') return
        if (!heard) {
          heard = worker
          clearTimeout(again)
          carry = (up) => worker.port.postMessage(up)
          caller.again(true)
        }
        if (heard === worker) caller.down(data)
      }
      worker.onerror = () => {
        if (heard || sort === 'led') return
        clearTimeout(again)
        led() // it could not be loaded: what was asked is asked of the other sort when that is there
      }
      again = setTimeout(knock, SILENT_MS)
    }
    knock()
  }
  if (typeof SharedWorker === 'undefined') led()
  else {
    try {
      shared()
    } catch {
      led() // the browser has them and refuses: what is kept for pages is switched off
    }
  }

  // Held as long as this tab lives: so the worker, which waits for it, knows when the tab is gone, however it went. Said only
  // when it is held, or the worker might get it first.
  void (navigator as { locks?: LockManager }).locks?.request(tab, () => {
    caller.hi(tab)
    return new Promise<void>(() => undefined)
  })
  addEventListener('online', () => caller.network(true))
  addEventListener('offline', () => caller.network(false))
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') caller.network(navigator.onLine)
  })
  return new TabSdk(caller, () => sort)
}

/** Somebody took the new version in another tab, which waits for this one: it loads anew as soon as nobody writes in it. */
function reloadUntouched(): void {
  let touched = Date.now()
  for (const kind of ['keydown', 'input', 'pointerdown']) addEventListener(kind, () => (touched = Date.now()), { capture: true, passive: true })
  const look = () => {
    if (document.visibilityState === 'hidden' || Date.now() - touched >= UNTOUCHED_MS) location.reload()
  }
  document.addEventListener('visibilitychange', look)
  setInterval(look, 500)
}
