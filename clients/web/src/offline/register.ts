// The page's side of the service worker: starts it when the page has nothing more urgent to do, hears of a new version, and
// changes to it when the person says so. It never reloads by itself: who types is not interrupted.

import { scriptUrl } from '../trusted'

/** Changes to the new version: what must be kept is kept first, then the page is loaded anew. */
export type Apply = () => Promise<void>

/** How often the server is asked for a new version at most, milliseconds. */
const ASKED_EVERY = 3_600_000

let waiting: ServiceWorker | null = null
let tell: ((apply: Apply) => void) | null = null
const before: (() => unknown)[] = []

/** Runs before the page is loaded anew; may return a promise. For drafts. */
export function beforeReload(keep: () => unknown): void {
  before.push(keep)
}

/** Called once a new version is there; the callback shows it. */
export function onversion(callback: (apply: Apply) => void): void {
  tell = callback
  if (waiting) callback(apply)
}

/** Starts the service worker. Without one (a private window, plain HTTP) the client works, but only with its server. */
export async function start(): Promise<void> {
  if (!('serviceWorker' in navigator)) return
  const registration = await navigator.serviceWorker
    .register(scriptUrl('/sw.js'), { scope: '/', updateViaCache: 'none' })
    .catch((error: unknown) => console.info('no service worker', error))
  if (!registration) return
  // The first one ever is no new version: nothing was controlled before it.
  const heard = (worker: ServiceWorker | null) => {
    if (!worker) return
    const installed = () => {
      if (worker.state === 'installed' && navigator.serviceWorker.controller) found(worker)
    }
    worker.addEventListener('statechange', installed)
    installed()
  }
  heard(registration.waiting)
  heard(registration.installing)
  registration.addEventListener('updatefound', () => heard(registration.installing))
  let asked = Date.now()
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && Date.now() - asked > ASKED_EVERY) {
      asked = Date.now()
      registration.update().catch(() => {}) // without a connection: another time
    }
  })
}

function found(worker: ServiceWorker): void {
  waiting = worker
  tell?.(apply)
}

async function apply(): Promise<void> {
  await Promise.allSettled(before.map(async (keep) => keep()))
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true })
  if (waiting && waiting.state === 'installed') waiting.postMessage('apply')
  else location.reload() // another tab has applied it already
}
