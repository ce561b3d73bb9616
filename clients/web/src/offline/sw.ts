// The service worker: keeps the files of one version of the client, and gives them out when the page asks, with or without
// a connection. It never sees what the page says to its server: that goes over a WebSocket. Owns the caches
// `startalk-<version>`; nothing of a person is in them.
//
// A new version is fetched beside the old one and waits until somebody says `apply`, or until no tab is open. The version
// before stays for tabs that are still open and have not loaded all of it. Invariant: a page and its files come from one
// version, all or none.

/// <reference lib="webworker" />

import { beginPush } from './push'
import { isOurPage } from './shell'

declare const self: ServiceWorkerGlobalScope

/** Put in by scripts/pack.mjs when all files are made. */
declare const __SHELL__: { version: string; files: string[] }
const { version, files } = __SHELL__

const PREFIX = 'startalk-'
const CACHE = PREFIX + version

beginPush()

self.addEventListener('install', (event) => {
  event.waitUntil(keep())
})

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetOlder().then(() => self.clients.claim()))
})

self.addEventListener('message', (event) => {
  if (event.data === 'apply') event.waitUntil(self.skipWaiting())
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin) return
  if (request.mode === 'navigate') {
    if (isOurPage(url)) event.respondWith(kept('/'))
  } else if (files.includes(url.pathname) || url.pathname.startsWith('/assets/')) {
    event.respondWith(kept(url.pathname))
  }
})

/** All files, or the installation fails and is tried again by the browser. */
async function keep(): Promise<void> {
  const cache = await caches.open(CACHE)
  await cache.addAll(files.map((file) => new Request(file, { cache: file.startsWith('/assets/') ? 'default' : 'reload' })))
}

/** This version and the one before stay: caches are listed in the order in which they were made. */
async function forgetOlder(): Promise<void> {
  const ours = (await caches.keys()).filter((name) => name.startsWith(PREFIX))
  const before = ours.filter((name) => name !== CACHE).at(-1)
  await Promise.all(ours.filter((name) => name !== CACHE && name !== before).map((name) => caches.delete(name)))
}

/** From this version, else from the one before, else from the server. */
async function kept(path: string): Promise<Response> {
  const cache = await caches.open(CACHE)
  const found = (await cache.match(path)) ?? (path.startsWith('/assets/') ? await caches.match(path) : undefined)
  return found ?? fetch(path)
}
