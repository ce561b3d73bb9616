// A tab's way to the worker that all tabs share. Nothing of protocol or storage is loaded into the page.

import { scriptUrl } from '../trusted'
import type { Sdk } from './api'
import { joinChannel, lead, type Channel } from './led'
import { Caller, type Down, type Up } from './ports'
import { TabSdk } from './tab'
import workerUrl from './worker.ts?worker&url'

const NAME = 'startalk'

/** `onstale`: another version of this program waits for the accounts that this one works on. */
export function connect(onstale: () => void = reloadUnseen): Sdk {
  const tab = `startalk-tab-${crypto.randomUUID()}`
  let sort: Sdk['sort'] = 'shared'
  let carry: (up: Up) => void = () => undefined
  const caller = new Caller((up) => carry(up))
  caller.onstale = onstale

  const led = () => {
    sort = 'led'
    const channel = new BroadcastChannel('startalk-led')
    carry = joinChannel(channel as unknown as Channel, tab, () => caller)
    lead(navigator.locks, () => void new Worker(scriptUrl(workerUrl), { type: 'module', name: NAME }))
  }
  if (typeof SharedWorker === 'undefined') led()
  else {
    let heard = false
    const worker = new SharedWorker(scriptUrl(workerUrl), { type: 'module', name: NAME })
    worker.port.onmessage = ({ data }: MessageEvent<Down>) => {
      heard = true
      caller.down(data)
    }
    worker.onerror = () => {
      if (heard || sort === 'led') return
      led() // it could not be loaded: what was asked is asked of the other sort when that is there
    }
    carry = (up) => worker.port.postMessage(up)
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

/** A tab that nobody looks at loads the new version; one that is looked at does when it is not any more. */
function reloadUnseen(): void {
  const reload = () => {
    if (document.visibilityState === 'hidden') location.reload()
  }
  document.addEventListener('visibilitychange', reload)
  reload()
}
