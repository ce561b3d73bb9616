// The way to an account's files at its node: addresses that an element can load, and what is fetched.
//
// A page of the node's own origin loads them by a cookie that the node seals for this device; a page of another server fetches
// them with the device's token and shows what came from memory. What this window sends itself is shown from the file that
// was chosen. Nothing is kept beyond the page: who may not read a message any more may not read its files.

import { SvelteMap } from 'svelte/reactivity'
import type { FileRef } from '../app/content'
import type { FileAccess, Problem, Talk } from '../app/model'

/** The message through which a file is read. sequence 0: none yet; then it is one's own. */
export interface Place { readonly conversation: string; readonly sequence: number }

/** What one holds oneself. */
export const OWN: Place = { conversation: '', sequence: 0 }

export class FileError extends Error implements Problem {
  constructor(readonly code: string, readonly params: Readonly<Record<string, string>> = {}, readonly status = 0) {
    super(code)
  }
}

/** The cookie lasts 12 hours. */
const RENEW_MS = 6 * 3600_000
/** A cookie that was made just now is not the reason that something cannot be read. */
const FRESH_MS = 20_000
/** Files of another server that are held in memory at most. */
const HELD_MAX = 200

export const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const base64url = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')

/** What was chosen in this window, by its hash or, until it has one, by what stands for it. */
const locals = new SvelteMap<string, string>()
export function keepLocal(hash: Uint8Array, url: string): void {
  locals.set(hex(hash), url)
}
export const localOf = (hash: Uint8Array): string | undefined => locals.get(hex(hash))

export class Door {
  #access = $state.raw<FileAccess>()
  /** Counts the cookies: what failed with one is tried with the next. */
  #cookies = $state(0)
  #made = 0
  #opening: Promise<FileAccess> | undefined
  #renewing: Promise<boolean> | undefined
  readonly #held = new SvelteMap<string, string>()
  readonly #fetching = new Set<string>()
  #nothing: string | undefined

  constructor(private readonly talk: Pick<Talk, 'fileAccess'>) {}

  /** How to ask; with the cookie, where that is how the page loads files. */
  access(): Promise<FileAccess> {
    this.#opening ??= this.talk.fileAccess().then(async (access) => {
      if (access.base === location.origin) await this.#session(access)
      this.#access = access
      return access
    }).catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }
  async #session(access: FileAccess): Promise<void> {
    await asked(access, '/files/session', { method: 'POST', credentials: 'same-origin' })
    this.#made = Date.now()
    this.#cookies += 1
  }
  get #own(): boolean {
    return this.#access?.base === location.origin
  }

  path(place: Place, file: FileRef, device: string): string {
    const where = place.sequence > 0 ? `${place.conversation}/${place.sequence}` : 'own'
    return `/files/${device}/${where}/${hex(file.hash)}/${encodeURIComponent(file.name || 'file')}`
  }

  /** An address that an element can load; empty: not yet. Reading it follows it. */
  src(place: Place, file: FileRef): string {
    const here = localOf(file.hash)
    if (here) return here
    const access = this.#access
    if (!access) {
      queueMicrotask(() => void this.access().catch(() => undefined))
      return ''
    }
    const path = this.path(place, file, access.device)
    if (this.#own) {
      void this.#cookies
      if (Date.now() - this.#made > RENEW_MS) queueMicrotask(() => void this.renew())
      return path
    }
    const held = this.#held.get(path)
    if (held === undefined && !this.#fetching.has(path)) {
      this.#fetching.add(path)
      queueMicrotask(() => void this.#hold(path))
    }
    return held ?? ''
  }
  async #hold(path: string): Promise<void> {
    let url = (this.#nothing ??= URL.createObjectURL(new Blob())) // what cannot be had fails to load, as it would by an address
    try {
      const access = await this.access()
      const answer = await asked(access, path)
      url = URL.createObjectURL(await answer.blob())
    } catch { /* shown as what could not be loaded */ }
    this.#fetching.delete(path)
    this.#held.set(path, url)
    const [oldest] = this.#held
    if (oldest && this.#held.size > HELD_MAX) {
      if (oldest[1] !== this.#nothing) URL.revokeObjectURL(oldest[1])
      this.#held.delete(oldest[0])
    }
  }

  /** Something did not load. True: it may be tried again. */
  async renew(): Promise<boolean> {
    const access = await this.access().catch(() => undefined)
    if (!access) return false
    if (!this.#own) {
      // What failed is asked for anew when it is looked at again; how often is for who looks.
      for (const [path, url] of this.#held) if (url === this.#nothing) this.#held.delete(path)
      return false
    }
    if (Date.now() - this.#made < FRESH_MS) return false
    this.#renewing ??= this.#session(access).then(() => true, () => false).finally(() => (this.#renewing = undefined))
    return this.#renewing
  }

  /** Asks the node; throws FileError. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return asked(await this.access(), path, init)
  }
  /** The bytes of a file; `ondone`: how many are here. */
  async bytes(place: Place, file: FileRef, ondone?: (bytes: number) => void, signal?: AbortSignal): Promise<Blob> {
    const access = await this.access()
    const here = localOf(file.hash)
    const answer = here ? await fetch(here) : await asked(access, this.path(place, file, access.device), signal ? { signal } : {})
    const reader = answer.body?.getReader()
    if (!reader) return answer.blob()
    const parts: Uint8Array<ArrayBuffer>[] = []
    let done = 0
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value)
      ondone?.((done += part.value.length))
    }
    return new Blob(parts, { type: answer.headers.get('content-type') ?? file.type })
  }
  /** An address at which the browser itself saves it; undefined: it has to be fetched. */
  saving(place: Place, file: FileRef): string | undefined {
    const access = this.#access
    return access && this.#own && !localOf(file.hash) ? `${this.path(place, file, access.device)}?download` : undefined
  }
}

const doors = new WeakMap<object, Door>()
export function doorOf(talk: Pick<Talk, 'fileAccess'>): Door {
  let door = doors.get(talk)
  if (!door) doors.set(talk, (door = new Door(talk)))
  return door
}

export const bearer = (access: FileAccess): Record<string, string> => ({ authorization: `Bearer ${base64url(access.token)}` })

async function asked(access: FileAccess, path: string, init: RequestInit = {}): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(access.base + path, { credentials: 'omit', cache: 'no-store', ...init, headers: { ...bearer(access), ...(init.headers as Record<string, string> | undefined) } })
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw new FileError('cancelled')
    throw new FileError('offline')
  }
  if (answer.ok) return answer
  throw problemOf(answer.status, await answer.text().catch(() => ''))
}

/** What the node said of a request that it refused. */
export function problemOf(status: number, text: string): FileError {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; params?: unknown } }
    if (typeof error?.code === 'string') return new FileError(error.code, (error.params ?? {}) as Record<string, string>, status)
  } catch { /* not the node's own words */ }
  return new FileError(status === 404 ? 'no-such-file' : 'internal', { why: String(status) }, status)
}
