// This browser and its push service: told of messages while no page is open. Asked for on a click only, by whoever turned
// notifications on. The browser names the push service and makes the keys; the node is told both.

import type { Node } from '../rooms/node'

export type Reach =
  /** A push service reaches this browser. */
  | 'reached'
  /** Only while a page is open: the browser has no push service, or it cannot be used now. */
  | 'open'
  /** An iPhone or iPad that could, if Startalk were on its home screen. */
  | 'install'

const isApple = (): boolean => /iPhone|iPad|iPod/.test(navigator.userAgent) || (navigator.platform === 'MacIntel' && navigator.maxTouchPoints > 1)
const isInstalled = (): boolean => matchMedia('(display-mode: standalone)').matches || (navigator as { standalone?: boolean }).standalone === true

export const needsInstall = (): boolean => isApple() && !isInstalled()
export const canPush = (): boolean => 'serviceWorker' in navigator && 'PushManager' in globalThis

async function present(): Promise<PushSubscription | null> {
  const worker = canPush() ? await navigator.serviceWorker.getRegistration() : undefined
  return (await worker?.pushManager.getSubscription()) ?? null
}

/** Whether this browser is reached, for this account. */
export async function reach(endpoint: string): Promise<Reach> {
  if (endpoint && (await present())?.endpoint === endpoint) return 'reached'
  return needsInstall() ? 'install' : 'open'
}

/** Subscribes, if the browser can, and tells the node. A subscription made for another node's key is not taken from it. */
export async function subscribe(node: Node): Promise<Reach> {
  if (!canPush()) return needsInstall() ? 'install' : 'open'
  const { key } = await node.notify()
  if (key.length === 0) return 'open'
  const worker = await navigator.serviceWorker.ready
  let made: PushSubscription
  try {
    made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: new Uint8Array(key) })
  } catch (error) {
    console.info('no push service', error)
    return 'open'
  }
  const bytes = (name: PushEncryptionKeyName) => new Uint8Array(made.getKey(name) ?? new ArrayBuffer(0))
  await node.subscribePush(made.endpoint, bytes('p256dh'), bytes('auth'))
  return 'reached'
}

/** The node first: from then on nothing is sent. What the browser keeps is of use to the other accounts of it. */
export async function unsubscribe(node: Node): Promise<void> {
  await node.unsubscribePush()
}
