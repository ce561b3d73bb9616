// Messages whose files are on their way, in this browser until they are sent: with the files themselves, so that a page that is
// loaded anew goes on where it was. Where a browser keeps nothing, or has no room, they live as long as the page.

import type { Order } from './orders'

const NAME = 'startalk-uploads'
/** Orders without their bytes, which are written once and are many. */
const ORDERS = 'orders'
const BYTES = 'bytes'
/** Says without opening anything that there may be some. */
export const SIGN = 'startalk.uploads'

let opened: Promise<IDBDatabase> | undefined

function open(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((done, fail) => {
    const asking = indexedDB.open(NAME, 1)
    asking.onupgradeneeded = () => {
      asking.result.createObjectStore(ORDERS, { keyPath: 'id' })
      asking.result.createObjectStore(BYTES)
    }
    asking.onsuccess = () => done(asking.result)
    asking.onerror = () => fail(asking.error ?? new Error(NAME))
  }).catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

/** Ends when it is on the disk, with what the last request gave. */
async function run<T>(mode: IDBTransactionMode, act: (orders: IDBObjectStore, bytes: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await open()).transaction([ORDERS, BYTES], mode)
  const asking = act(transaction.objectStore(ORDERS), transaction.objectStore(BYTES))
  return new Promise((done, fail) => {
    transaction.oncomplete = () => done(asking.result)
    transaction.onabort = transaction.onerror = () => fail(transaction.error ?? new Error(NAME))
  })
}
const rangeOf = (id: string): IDBKeyRange => IDBKeyRange.bound([id, 0], [id, Infinity])

/** `whole`: for the first time, with its bytes. False: it will not survive the page. */
export async function keep(order: Order, whole = false): Promise<boolean> {
  try {
    await run('readwrite', (orders, bytes) => {
      if (whole) order.parts.forEach((part, i) => bytes.put(part.blob, [order.id, i]))
      return orders.put({ ...order, parts: order.parts.map(({ blob: _, ...part }) => part) })
    })
    localStorage.setItem(SIGN, 'yes')
    return true
  } catch {
    return false
  }
}

export async function forget(id: string): Promise<void> {
  try {
    const left = await run('readwrite', (orders, bytes) => {
      orders.delete(id)
      bytes.delete(rangeOf(id))
      return orders.count()
    })
    if (left === 0) localStorage.removeItem(SIGN)
  } catch { /* it was not kept */ }
}

export async function one(id: string): Promise<Order | undefined> {
  try {
    const order = await run('readonly', (orders) => orders.get(id) as IDBRequest<Order | undefined>)
    const blobs = await run('readonly', (_, bytes) => bytes.getAll(rangeOf(id)) as IDBRequest<Blob[]>)
    if (!order || blobs.length < order.parts.length) return undefined
    return { ...order, parts: order.parts.map((part, i) => ({ ...part, blob: blobs[i] as Blob })) }
  } catch {
    return undefined
  }
}

/** Their ids, oldest first. */
export async function all(account: string): Promise<string[]> {
  const orders = await run('readonly', (store) => store.getAll() as IDBRequest<Order[]>).catch(() => [])
  return orders.filter((order) => order.account === account).sort((a, b) => a.time - b.time).map((order) => order.id)
}
