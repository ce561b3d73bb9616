// One connection to a node: frames out, answers to who asked, pushes to who listens.

import { ApiError } from './api'
import { decode, encode, FRAME_BYTES_MAX, numbered, problem, type Answer, type AnswerCase, type AnswerOf, type Ask } from './wire'

/** What is needed of a WebSocket: a browser's, or another's in tests. */
export interface Wire {
  binaryType: string
  onopen: ((event: never) => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(data: Uint8Array<ArrayBuffer>): void
  close(): void
}
export type OpenWire = (url: string) => Wire

/** Without a sign of life for so long a connection is taken for dead. */
const SILENCE_MS = 45_000
const PING_MS = 20_000
const OPEN_MS = 15_000
/** When there is reason to doubt: after sleep, or on another network. */
const PROBE_MS = 5_000

interface Asked {
  /** Takes one answer; true: more follow. */
  readonly take: (answer: Answer) => boolean
  readonly fail: (error: ApiError) => void
}

export class Socket {
  /** Pushed frames. */
  onpush: (answer: Answer) => void = () => undefined
  /** It ended; `problem` if the node said why. */
  onend: (problem: ApiError | undefined) => void = () => undefined
  /** Bytes of a frame that are read: the node says how many it sends. */
  frameBytesMax = FRAME_BYTES_MAX

  readonly #wire: Wire
  readonly #asked = new Map<number, Asked>()
  #next = 1
  #heard = Date.now()
  #clock: ReturnType<typeof setInterval> | undefined
  #over = false
  #why: ApiError | undefined

  private constructor(wire: Wire) {
    this.#wire = wire
  }

  static connect(open: OpenWire, url: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
      let wire: Wire
      try {
        wire = open(url)
      } catch {
        reject(new ApiError('unreachable', { what: hostOf(url), why: '' }))
        return
      }
      wire.binaryType = 'arraybuffer'
      const socket = new Socket(wire)
      const failed = () => {
        clearTimeout(patience)
        wire.onclose = wire.onerror = null
        wire.close()
        reject(new ApiError('unreachable', { what: hostOf(url), why: '' }))
      }
      const patience = setTimeout(failed, OPEN_MS)
      wire.onclose = wire.onerror = failed
      wire.onopen = () => {
        clearTimeout(patience)
        wire.onerror = null
        wire.onclose = () => socket.#end()
        wire.onmessage = (event) => socket.#message(event.data)
        socket.#heard = Date.now()
        socket.#clock = setInterval(() => socket.#tick(), 5_000)
        resolve(socket)
      }
    })
  }

  /** Asks, and ends with the answer of this kind; an error, or another kind, is thrown. */
  ask<C extends AnswerCase>(frame: Ask, answer: C): Promise<AnswerOf<C>> {
    return this.#ask((id) => encode(id, frame), answer)
  }

  /** The same with an ask that was kept. */
  askKept<C extends AnswerCase>(kept: Uint8Array, answer: C): Promise<AnswerOf<C>> {
    return this.#ask((id) => numbered(id, kept), answer)
  }

  #ask<C extends AnswerCase>(bytes: (id: number) => Uint8Array<ArrayBuffer>, kind: C): Promise<AnswerOf<C>> {
    return new Promise((resolve, reject) => {
      this.#send(bytes, {
        take: (answer) => {
          const found: Answer = answer
          if (found.case === 'error') reject(problem(found.value))
          else if (found.case === kind) resolve(found.value as never)
          else reject(new ApiError('malformed'))
          return false
        },
        fail: reject,
      })
    })
  }

  /** Asks what is answered by several frames; `take` says whether more follow. */
  askMany(frame: Ask, take: (answer: Answer) => boolean, fail: (error: ApiError) => void): void {
    this.#send((id) => encode(id, frame), { take, fail })
  }

  #send(bytes: (id: number) => Uint8Array<ArrayBuffer>, asked: Asked): void {
    if (this.#over) {
      asked.fail(new ApiError('offline'))
      return
    }
    const id = this.#next++
    this.#asked.set(id, asked)
    this.#wire.send(bytes(id))
  }

  #message(data: unknown): void {
    this.#heard = Date.now()
    const frame = data instanceof ArrayBuffer ? decode(new Uint8Array(data), this.frameBytesMax) : undefined
    if (!frame) {
      this.end(new ApiError('malformed'))
      return
    }
    if (frame.frame.case === 'close') {
      this.#why = frame.frame.value.error ? problem(frame.frame.value.error) : undefined
      return
    }
    if (frame.replyTo === 0n) {
      this.onpush(frame.frame)
      return
    }
    const id = Number(frame.replyTo)
    const asked = this.#asked.get(id)
    if (asked && !asked.take(frame.frame)) this.#asked.delete(id)
  }

  #tick(): void {
    const silent = Date.now() - this.#heard
    if (silent > SILENCE_MS) this.end()
    else if (silent > PING_MS) this.ask({ case: 'ping', value: {} }, 'done').catch(() => undefined)
  }

  /** Whether the other side is still there: if it does not answer soon, this is the end. */
  probe(): void {
    if (Date.now() - this.#heard < PROBE_MS) return
    const doubt = setTimeout(() => this.end(), PROBE_MS)
    this.ask({ case: 'ping', value: {} }, 'done').then(() => clearTimeout(doubt), () => clearTimeout(doubt))
  }

  /** Ends it from this side. */
  end(why?: ApiError): void {
    this.#why ??= why
    this.#wire.onclose = null
    this.#wire.onmessage = null
    this.#wire.close()
    this.#end()
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    clearInterval(this.#clock)
    const asked = [...this.#asked.values()]
    this.#asked.clear()
    for (const a of asked) a.fail(new ApiError('offline'))
    this.onend(this.#why)
  }
}

export function hostOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return url
  }
}
