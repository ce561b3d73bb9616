// Telling of new messages while the client is open in some tab. Whether to, and how much, is kept in this browser.
//
// The browser's permission is asked for on a click only (`allow`); nothing is shown while the page itself is looked at.

const KEPT = 'startalk.notices'

export interface Notices { on: boolean; content: boolean }

export const notices: Notices = $state(kept())

function kept(): Notices {
  try {
    const read = JSON.parse(localStorage.getItem(KEPT) ?? '{}') as Record<string, unknown>
    return { on: read['on'] === true, content: read['content'] !== false }
  } catch {
    return { on: false, content: true }
  }
}

export function setNotices(change: Partial<Notices>): void {
  Object.assign(notices, change)
  localStorage.setItem(KEPT, JSON.stringify(notices))
}

/** Tells the service worker which language is chosen; it cannot read what a page keeps. */
export async function tellLanguage(language: string): Promise<void> {
  try {
    const cache = await caches.open('told')
    await cache.put('/language', new Response(language))
  } catch {
    // A private window: its service worker shows nothing either.
  }
}

/** A conversation that was read here needs no notification any more. */
export async function wasRead(tag: string): Promise<void> {
  try {
    const worker = await navigator.serviceWorker?.getRegistration()
    for (const one of (await worker?.getNotifications({ tag })) ?? []) one.close()
  } catch {
    // It goes when it is clicked.
  }
}

export const canNotify = (): boolean => typeof Notification === 'function'
export const permission = (): NotificationPermission => (canNotify() ? Notification.permission : 'denied')

/** On a click: asks the browser if it has not been asked, and turns them on if it allows. */
export async function allow(): Promise<NotificationPermission> {
  const answer = permission() === 'default' ? await Notification.requestPermission() : permission()
  setNotices({ on: answer === 'granted' })
  return answer
}

export interface Notice {
  /** Who, or the group. */
  readonly title: string
  readonly body: string
  /** One for each conversation: a later one replaces the earlier. */
  readonly tag: string
  /** Said instead where content is not to be shown. */
  readonly quietly: string
  readonly open: () => void
}

/** Shows one, if it is wanted, allowed, and nobody looks at the page. */
export function notify(notice: Notice): void {
  if (!notices.on || permission() !== 'granted' || (document.visibilityState === 'visible' && document.hasFocus())) return
  try {
    const shown = new Notification(notices.content ? notice.title : notice.quietly, {
      body: notices.content ? notice.body : '',
      tag: notice.tag,
      icon: '/icons/star-192.png',
    })
    shown.onclick = () => {
      window.focus()
      notice.open()
      shown.close()
    }
  } catch {
    // Android's browsers have the constructor and refuse it: there only a service worker may show one.
    void navigator.serviceWorker?.ready
      .then((worker) => worker.showNotification(notices.content ? notice.title : notice.quietly, { body: notices.content ? notice.body : '', tag: notice.tag }))
      .catch(() => undefined)
  }
}
