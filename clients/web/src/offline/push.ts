// The service worker's part in telling: shows what is pushed, in the person's language, and opens the right place on a
// click. Owns the cache `told`, in which the page says which language is chosen (`notify.svelte.ts` writes it).

/// <reference lib="webworker" />

import { parse, shown, tagOf, type Push } from './notice'
import { WORDS, type Language } from './words'

declare const self: ServiceWorkerGlobalScope & { navigator: { setAppBadge?(n: number): Promise<void>; clearAppBadge?(): Promise<void> } }

interface Kept { readonly sequence: number; readonly path: string; readonly account: string; readonly conversation: string }

export function beginPush(): void {
  self.addEventListener('push', (event) => event.waitUntil(pushed(event.data?.text() ?? '')))
  self.addEventListener('notificationclick', (event) => {
    event.notification.close()
    event.waitUntil(open(event.notification.data as Kept | null))
  })
}

async function language(): Promise<Language> {
  const kept = await caches.open('told').then((cache) => cache.match('/language')).then((answer) => answer?.text()).catch(() => undefined)
  const tags = kept ? [kept] : self.navigator.languages
  return tags.find((tag) => /^(zh|en)\b/i.test(tag))?.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

async function pushed(text: string): Promise<void> {
  const push = parse(text)
  if (!push) {
    // Of a later form: a browser that shows nothing is asked for its permission back.
    const words = WORDS[await language()]
    return self.registration.showNotification('Startalk', { body: words.something, tag: 'something', icon: '/icons/star-192.png' })
  }
  if (push.badge !== undefined) await badge(push.badge)
  if (push.do === 'withdraw') return withdraw(push)
  const windows = await self.clients.matchAll({ type: 'window' })
  // Who looks at the client sees it there.
  if (windows.some((window) => window.focused)) return
  const tag = tagOf(push.account, push.conversation)
  const before = (await self.registration.getNotifications({ tag }))[0]
  const isNew = ((before?.data as Kept | null)?.sequence ?? 0) < push.sequence
  const { title, body, path } = shown(push, await language())
  const data: Kept = { sequence: push.sequence, path, account: push.account, conversation: push.conversation }
  // `renotify` and `timestamp` are not in every browser's types.
  const more = { renotify: isNew, timestamp: push.time } as NotificationOptions
  await self.registration.showNotification(title, { body, tag, icon: '/icons/star-192.png', badge: '/icons/star-192.png', silent: !isNew, data, ...more })
}

/** What was shown of this message goes; a later one stays. */
async function withdraw(push: Push): Promise<void> {
  const all = await self.registration.getNotifications({ tag: tagOf(push.account, push.conversation) })
  for (const one of all) if ((one.data as Kept | null)?.sequence === push.sequence) one.close()
}

async function badge(n: number): Promise<void> {
  try {
    await (n > 0 ? self.navigator.setAppBadge?.(n) : self.navigator.clearAppBadge?.())
  } catch {
    // Not installed: there is nothing to put it on.
  }
}

/** In a window that is there, or a new one. */
async function open(to: Kept | null): Promise<void> {
  const windows = await self.clients.matchAll({ type: 'window' })
  const there = windows.find((window) => new URL(window.url).origin === self.location.origin)
  if (!there) {
    await self.clients.openWindow(to?.path ?? '/')
    return
  }
  if (to) there.postMessage({ open: { account: to.account, conversation: to.conversation } })
  await there.focus()
}
