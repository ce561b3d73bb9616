// Files on their way: each is sent to the node in pieces that go on where they were cut (tus), and when all of a message are
// there, it is sent. Each order is one lock of the browser: of several windows one works on it, and another takes over
// when that is closed. Invariant: a message is sent once, for its ticket is its order's id.

import type { Block } from '../app/content'
import type { Going, Message, Problem, Talk } from '../app/model'
import { bearer, doorOf, FileError, keepLocal, problemOf } from '../files/door.svelte'
import { told } from '../rooms/node'
import * as kept from './kept'
import { described, saidOf, standIn, type Described, type Order, type Part } from './orders'

/** One request sends as much of a file as this: what stands between may refuse more. */
const PIECE_BYTES = 8 * 1024 * 1024
/** Files that are sent at a time. */
const AT_ONCE_MAX = 3
/** How long after a cut it is tried again, each time. */
const AGAIN_MS = [0, 1000, 2000, 4000, 8000, 15_000]
/** After these, until there is a connection. */
const SLOWLY_MS = 15_000
/** What the node may be asked about one upload while it works on it; it waits 20 s each time. */
const ASKED_MAX = 90

type State = Going['state']

class Sending implements Going {
  state = $state<State>('waiting')
  problem = $state.raw<Problem>()
  #sent = $state.raw<readonly number[]>([])
  readonly done: number = $derived(this.#sent.reduce((sum, one) => sum + one, 0))
  readonly total: number
  readonly message: Message
  order: Order
  #end: AbortController | undefined
  #over = false

  constructor(private readonly uploads: Uploads, order: Order) {
    this.order = order
    this.total = order.parts.reduce((sum, part) => sum + part.blob.size, 0)
    this.#sent = order.parts.map((part) => (part.described ? part.blob.size : (part.sent ?? 0)))
    order.parts.forEach((part, i) => {
      if (order.kind === 'attachment') return
      keepLocal(standIn(order.id, i), uploads.urlOf(part.blob))
    })
    const what = saidOf({ ...order, parts: order.parts.map(({ described: _, ...part }) => part) })
    this.message = {
      key: `going ${order.id}`, sequence: 0, author: order.account, mine: true, system: false, time: order.time, sentTime: 0, said: what, answers: undefined, editedTime: 0,
      recalled: false, expired: false, state: 'pending', problem: undefined, reactions: [], pinned: false, callsMe: false, going: this,
    }
  }
  get conversation(): string {
    return this.uploads.conversationOf(this.order)
  }

  pause(): void {
    if (this.state === 'working') return
    this.state = 'paused'
    this.#end?.abort()
    this.#end = undefined
    void this.#keep({ ...this.order, paused: true, parts: this.order.parts.map((part, i) => ({ ...part, sent: this.#sent[i] ?? 0 })) })
  }
  resume(): void {
    this.problem = undefined
    this.state = 'waiting'
    void this.#keep({ ...this.order, paused: false })
    void this.run()
  }
  cancel(): void {
    this.#over = true
    this.#end?.abort()
    void this.uploads.end(this)
    // The node forgets what is unfinished by itself, after a day; sooner is kinder.
    for (const part of this.order.parts) if (part.url) void doorOf(this.uploads.talk).fetch(new URL(part.url).pathname, { method: 'DELETE', headers: { 'tus-resumable': '1.0.0' } }).catch(() => undefined)
  }
  async #keep(order: Order): Promise<void> {
    this.order = order
    if (!this.#over) await kept.keep(order)
  }
  #part(at: number, change: Partial<Part>): Promise<void> {
    return this.#keep({ ...this.order, parts: this.order.parts.map((part, i) => (i === at ? { ...part, ...change } : part)) })
  }
  #progress(at: number, bytes: number): void {
    this.#sent = this.#sent.map((one, i) => (i === at ? bytes : one))
  }

  async run(): Promise<void> {
    if (this.#end || this.#over || this.state === 'paused') return
    const end = new AbortController()
    this.#end = end
    try {
      for (let tries = 0; ; tries++) {
        try {
          await Promise.all(this.order.parts.map((part, i) => (part.described ? undefined : this.uploads.turn(() => this.#upload(i, end.signal)))))
          break
        } catch (error) {
          if (end.signal.aborted) return
          const problem = error as FileError
          if (problem.code !== 'offline') throw error
          this.state = 'waiting'
          await reached(AGAIN_MS[tries] ?? SLOWLY_MS, end.signal)
        }
      }
      this.state = 'working'
      await this.uploads.send(this)
    } catch (error) {
      if (this.#over || end.signal.aborted) return
      this.state = 'failed'
      const { code, params = {} } = told(error)
      this.problem = { code, params }
      end.abort()
    } finally {
      if (this.#end === end) this.#end = undefined
    }
  }

  async #upload(at: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new FileError('cancelled')
    const part = this.order.parts[at]
    if (!part || part.described) return
    const [access, { Upload }] = await Promise.all([doorOf(this.uploads.talk).access(), tus()])
    if (signal.aborted) throw new FileError('cancelled')
    this.state = 'sending'
    const url = await new Promise<string>((done, fail) => {
      const upload = new Upload(part.blob, {
        endpoint: `${access.base}/files/uploads`,
        ...(part.url ? { uploadUrl: part.url } : {}),
        headers: bearer(access),
        metadata: { filename: part.name, purpose: part.purpose },
        chunkSize: PIECE_BYTES,
        retryDelays: [0, 1000, 3000],
        storeFingerprintForResuming: false,
        // What the node refuses it refuses again; what is locked or has gone on elsewhere is looked at anew.
        onShouldRetry: (error) => { const status = error.originalResponse?.getStatus() ?? 0; return status === 0 || status === 409 || status === 423 || (status >= 502 && status <= 504) },
        onUploadUrlAvailable: () => { if (upload.url) void this.#part(at, { url: upload.url }) },
        onProgress: (bytes) => this.#progress(at, bytes),
        onError: (error) => {
          const answer = 'originalResponse' in error ? error.originalResponse : null
          fail(answer ? problemOf(answer.getStatus(), answer.getBody() ?? '') : new FileError('offline'))
        },
        onSuccess: () => (upload.url ? done(upload.url) : fail(new FileError('internal'))),
      })
      signal.addEventListener('abort', () => { void upload.abort(); fail(new FileError('cancelled')) }, { once: true })
      upload.start()
    })
    this.#progress(at, part.blob.size)
    await this.#part(at, { url, described: await this.#ready(url, part, signal) })
  }

  /** Waits until the node has looked at what it has. */
  async #ready(url: string, part: Part, signal: AbortSignal): Promise<Described> {
    for (let asked = 0; asked < ASKED_MAX; asked++) {
      const answer = await doorOf(this.uploads.talk).fetch(new URL(url).pathname, { signal })
      const json = (await answer.json()) as { state?: string; error?: { code?: string; params?: Record<string, string> } }
      if (json.state === 'failed') throw new FileError(json.error?.code ?? 'internal', json.error?.params ?? {})
      const found = json.state === 'ready' ? described(json, part.name) : undefined
      if (found) return found
      if (this.order.parts.every((one) => one.described || one.url)) this.state = 'working'
      await reached(asked < 3 ? 100 : 500, signal)
    }
    throw new FileError('internal', { why: 'upload' })
  }
}

/** What is wanted, as it is kept and sent. */
export type Wanted = Pick<Order, 'kind' | 'parts'> & { readonly caption?: Block[]; readonly durationMs?: number; readonly waveform?: Uint8Array }

export class Uploads {
  readonly talk: Talk
  #all: readonly Sending[] = []
  #waiting: (() => void)[] = []
  #busy = 0
  readonly #urls = new WeakMap<Blob, string>()

  constructor(talk: Talk) {
    this.talk = talk
  }

  /** Puts a message on its way. Ends when it is kept, as far as this browser keeps anything. */
  async add(conversation: { readonly id: string; readonly address: string }, wanted: Wanted, answers?: Message): Promise<void> {
    const order: Order = {
      id: crypto.randomUUID(), account: this.talk.me, conversation: conversation.id, address: conversation.address, time: Date.now(), caption: [], durationMs: 0, waveform: new Uint8Array(),
      ...wanted, burnS: this.talk.burning(conversation.id) || undefined, answers: answers && this.talk.answering(conversation.id, answers),
    }
    await kept.keep(order, true)
    void this.#work(order.id, order)
  }

  /** Those that an earlier page has left, or that another window works on as long as it is there. */
  async restore(): Promise<void> {
    for (const id of await kept.all(this.talk.me)) void this.#work(id)
  }

  /** With the lock of an order: `order` as it is now, or as it is kept when the lock is ours. */
  async #work(id: string, order?: Order): Promise<void> {
    const work = async () => {
      const now = order ?? (await kept.one(id))
      if (!now || now.parts.length === 0 || this.#all.some((one) => one.order.id === id)) return
      const sending = new Sending(this, now)
      const over = new Promise<void>((done) => this.#overs.set(sending, done))
      this.#set([...this.#all, sending])
      if (now.paused) sending.state = 'paused'
      else void sending.run()
      await over
    }
    if (navigator.locks) await navigator.locks.request(`startalk upload ${id}`, work)
    else await work()
  }
  readonly #overs = new Map<Sending, () => void>()

  #set(all: readonly Sending[]): void {
    this.#all = all
    this.talk.setGoing(all.map((one) => one.message))
  }

  conversationOf(order: Order): string {
    return this.talk.conversations.find((one) => one.address === order.address)?.id ?? order.conversation
  }
  urlOf(blob: Blob): string {
    let url = this.#urls.get(blob)
    if (!url) this.#urls.set(blob, (url = URL.createObjectURL(blob)))
    return url
  }

  /** Does it when it is its turn. */
  async turn<T>(act: () => Promise<T>): Promise<T> {
    if (this.#busy >= AT_ONCE_MAX) await new Promise<void>((go) => this.#waiting.push(go))
    this.#busy += 1
    try {
      return await act()
    } finally {
      this.#busy -= 1
      this.#waiting.shift()?.()
    }
  }

  /** All files are there. */
  async send(sending: Sending): Promise<void> {
    const { order } = sending
    // What was chosen here is shown from here, also by the hash that it has now.
    order.parts.forEach((part) => { if (part.described && part.purpose !== 'file') keepLocal(part.described.file.hash, this.urlOf(part.blob)) })
    await this.talk.sendOnce(order.id, this.conversationOf(order), saidOf(order), order.answers)
    await this.end(sending)
  }
  async end(sending: Sending): Promise<void> {
    this.#set(this.#all.filter((one) => one !== sending))
    await kept.forget(sending.order.id)
    this.#overs.get(sending)?.()
    this.#overs.delete(sending)
  }
}

const made = new WeakMap<Talk, Uploads>()
export function uploadsOf(talk: Talk): Uploads {
  let uploads = made.get(talk)
  if (!uploads) made.set(talk, (uploads = new Uploads(talk)))
  return uploads
}

/** Loaded with the first file that is sent; the page's own files are enough for everything else. */
const tus = () => import('tus-js-client')

/** After a while, or as soon as there is a connection again. */
function reached(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const end = (act: () => void) => () => {
      clearTimeout(timer)
      removeEventListener('online', over)
      signal.removeEventListener('abort', cut)
      act()
    }
    const over = end(done)
    const cut = end(() => fail(new FileError('cancelled')))
    const timer = setTimeout(over, ms)
    addEventListener('online', over)
    signal.addEventListener('abort', cut)
  })
}
