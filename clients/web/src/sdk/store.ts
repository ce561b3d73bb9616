// What is kept in this browser: one IndexedDB for each account, one for the list of accounts.
//
// Writes are gathered and go in the order in which they were asked for, each round in one transaction: a cursor is never
// kept before what it stands for. `sure` ends when the bytes are on the disk; only a message that is said needs that.

import type { ConversationRow, Draft, MessageRow, ProfileRow } from './api'
import type { Known } from './stretches'

/** A command that has a number, until it is known what became of it. */
export interface Order {
  readonly counter: number
  readonly ticket: string
  readonly kind: 'send' | 'edit' | 'recall' | 'act' | 'other'
  readonly conversation: string
  /** Of the conversation, should its number change: the other person, or the group. */
  readonly to: string
  readonly group: string
  /** The ask without an id. */
  readonly frame: Uint8Array
  readonly made: number
  readonly state: 'pending' | 'waiting' | 'unconfirmed' | 'failed'
  readonly problem: { readonly code: string; readonly params: Readonly<Record<string, string>> } | undefined
  /** Of a message: as it is shown. */
  readonly row: MessageRow | undefined
  readonly reply?: Reply | undefined
  /** It was on its way once: the node may have it. */
  readonly flown?: true
}

/** What a message answers. In a group it is sent by its number (`sequence`), which may mean another after a restore: the id tells. */
export interface Reply {
  readonly id: string
  /** 0: not in a group. */
  readonly sequence: number
}

/** A message that the node acknowledged: offered again if the node loses it. */
export interface Said {
  /** In 32 digits; ids of an author grow. */
  readonly id: string
  /** Under which it was said: the same order again is the same message. */
  readonly ticket: string
  readonly to: string
  readonly group: string
  readonly conversation: string
  readonly sequence: number
  /** Empty: it was recalled. */
  readonly content: Uint8Array
  readonly reply?: Reply | undefined
}

/** A conversation as it is kept. */
export interface Kept extends ConversationRow {
  readonly known: Known
  /** One has refused the request: it is no conversation, until one writes to them oneself. */
  readonly refused: boolean
  /** Up to this number there are no copies of what the node keeps no longer. */
  readonly gone?: number
}

export interface Identity {
  readonly user: string
  readonly server: string
  readonly device: string
  readonly token: Uint8Array
  readonly administrator: boolean
  /** Of who signed in before there were roles there is none yet. */
  readonly role?: string
  readonly signedOut: { readonly code: string; readonly params: Readonly<Record<string, string>> } | undefined
}

export type Room = 'meta' | 'conversations' | 'messages' | 'orders' | 'said' | 'profiles' | 'drafts'
type Write = { readonly room: Room; readonly put?: unknown; readonly key?: IDBValidKey; readonly remove?: IDBValidKey | IDBKeyRange; readonly clear?: true }

/** Acknowledged own messages that are kept for offering again. */
export const SAID_MAX = 1000

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('IndexedDB'))
  })
}

function ended(tx: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve()
    tx.onabort = () => reject(tx.error ?? new Error('IndexedDB'))
    tx.onerror = () => reject(tx.error ?? new Error('IndexedDB'))
  })
}

function open(factory: IDBFactory, name: string, make: (db: IDBDatabase) => void): Promise<IDBDatabase> {
  const request = factory.open(name, 1)
  request.onupgradeneeded = () => make(request.result)
  return done(request)
}

export class Store {
  readonly #db: IDBDatabase
  #gathered: Write[] = []
  #round: Promise<void> | undefined
  #broken: unknown
  /** What was asked for could not be written: nothing is any more, or a cursor might be kept without what it stands for. */
  onbroken: (error: unknown) => void = () => undefined

  private constructor(db: IDBDatabase) {
    this.#db = db
    db.onversionchange = () => db.close()
  }

  static async open(factory: IDBFactory, user: string): Promise<Store> {
    return new Store(await open(factory, `startalk:${user}`, (db) => {
      db.createObjectStore('meta')
      db.createObjectStore('conversations', { keyPath: 'id' })
      const messages = db.createObjectStore('messages', { keyPath: ['conversation', 'sequence'] })
      messages.createIndex('id', ['conversation', 'id'])
      db.createObjectStore('orders', { keyPath: 'counter' }).createIndex('ticket', 'ticket')
      db.createObjectStore('said', { keyPath: 'id' })
      db.createObjectStore('profiles', { keyPath: 'user' })
      db.createObjectStore('drafts')
    }))
  }

  put(room: Room, value: unknown, key?: IDBValidKey): void {
    this.#gather(key === undefined ? { room, put: value } : { room, put: value, key })
  }

  remove(room: Room, key: IDBValidKey | IDBKeyRange): void {
    this.#gather({ room, remove: key })
  }

  clear(room: Room): void {
    this.#gather({ room, clear: true })
  }

  #gather(write: Write): void {
    this.#gathered.push(write)
    this.#round ??= Promise.resolve().then(() => this.#write('relaxed')).catch(() => undefined)
  }

  /** All that was asked for until now is on the disk. */
  async sure(): Promise<void> {
    await this.#write('strict', true)
  }

  async #write(durability: IDBTransactionDurability, empty = false): Promise<void> {
    const writes = this.#gathered
    this.#gathered = []
    this.#round = undefined
    if (this.#broken) throw this.#broken
    if (writes.length === 0 && !empty) return
    try {
      await this.#transact(writes, durability)
    } catch (error) {
      this.#broken ??= error
      this.onbroken(error)
      throw error
    }
  }

  async #transact(writes: readonly Write[], durability: IDBTransactionDurability): Promise<void> {
    const rooms = new Set<Room>(writes.map((w) => w.room))
    rooms.add('meta')
    const tx = this.#db.transaction([...rooms], 'readwrite', { durability })
    for (const w of writes) {
      const room = tx.objectStore(w.room)
      if (w.clear) room.clear()
      else if (w.remove !== undefined) room.delete(w.remove)
      else if (w.key !== undefined) room.put(w.put, w.key)
      else room.put(w.put)
    }
    if (writes.length === 0) tx.objectStore('meta').put(1, 'flushed')
    await ended(tx)
  }

  async #read<T>(room: Room, ask: (room: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    // Transactions of one room go in their order, so what was gathered is seen once its round has begun.
    if (this.#gathered.length > 0) await this.#round
    return done(ask(this.#db.transaction(room, 'readonly').objectStore(room)))
  }

  meta<T>(key: string): Promise<T | undefined> {
    return this.#read('meta', (r) => r.get(key))
  }

  conversations(): Promise<Kept[]> {
    return this.#read('conversations', (r) => r.getAll())
  }

  profiles(): Promise<ProfileRow[]> {
    return this.#read('profiles', (r) => r.getAll())
  }

  orders(): Promise<Order[]> {
    return this.#read('orders', (r) => r.getAll())
  }

  said(): Promise<Said[]> {
    return this.#read('said', (r) => r.getAll())
  }

  /** By the address of the conversation, whose number may mean another after a restore. */
  async drafts(): Promise<Map<string, Draft>> {
    const [keys, drafts] = await Promise.all([this.#read('drafts', (r) => r.getAllKeys()), this.#read<Draft[]>('drafts', (r) => r.getAll())])
    return new Map(drafts.map((draft, i) => [String(keys[i]), draft]))
  }

  message(conversation: string, sequence: number): Promise<MessageRow | undefined> {
    return this.#read('messages', (r) => r.get([conversation, sequence]))
  }

  messageOf(conversation: string, id: string): Promise<MessageRow | undefined> {
    return this.#read('messages', (r) => r.index('id').get([conversation, id]))
  }

  /** Messages with numbers first..=last, ascending, at most `limit` from the front. */
  async messages(conversation: string, first: number, last: number, limit: number): Promise<MessageRow[]> {
    if (last < first) return []
    const range = IDBKeyRange.bound([conversation, first], [conversation, last])
    return this.#read('messages', (r) => r.getAll(range, limit))
  }

  /** The last `limit` messages with numbers first..=last, ascending. */
  async lastMessages(conversation: string, first: number, last: number, limit: number): Promise<MessageRow[]> {
    if (last < first) return []
    if (this.#gathered.length > 0) await this.#round
    const range = IDBKeyRange.bound([conversation, first], [conversation, last])
    const request = this.#db.transaction('messages', 'readonly').objectStore('messages').openCursor(range, 'prev')
    const out: MessageRow[] = []
    await new Promise<void>((resolve, reject) => {
      request.onerror = () => reject(request.error ?? new Error('IndexedDB'))
      request.onsuccess = () => {
        const cursor = request.result
        if (!cursor || out.length >= limit) return resolve()
        out.push(cursor.value as MessageRow)
        cursor.continue()
      }
    })
    return out.reverse()
  }

  close(): void {
    this.#db.close()
  }
}

export function forget(factory: IDBFactory, user: string): Promise<unknown> {
  return done(factory.deleteDatabase(`startalk:${user}`))
}

/** The accounts of this browser, and its settings. */
export class Registry {
  readonly #db: IDBDatabase
  private constructor(db: IDBDatabase) {
    this.#db = db
  }

  static async open(factory: IDBFactory): Promise<Registry> {
    return new Registry(await open(factory, 'startalk', (db) => {
      db.createObjectStore('accounts', { keyPath: 'user' })
      db.createObjectStore('settings')
    }))
  }

  accounts(): Promise<Identity[]> {
    return done(this.#db.transaction('accounts').objectStore('accounts').getAll())
  }

  async keep(identity: Identity): Promise<void> {
    const tx = this.#db.transaction('accounts', 'readwrite', { durability: 'strict' })
    tx.objectStore('accounts').put(identity)
    await ended(tx)
  }

  async remove(user: string): Promise<void> {
    const tx = this.#db.transaction('accounts', 'readwrite', { durability: 'strict' })
    tx.objectStore('accounts').delete(user)
    await ended(tx)
  }

  setting(name: string): Promise<unknown> {
    return done(this.#db.transaction('settings').objectStore('settings').get(name))
  }

  async keepSetting(name: string, value: unknown): Promise<void> {
    const tx = this.#db.transaction('settings', 'readwrite')
    tx.objectStore('settings').put(value, name)
    await ended(tx)
  }
}
