// A node that says what a test tells it to: one wire at a time, frames in and out without a socket.

import 'fake-indexeddb/auto'
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { IDBFactory } from 'fake-indexeddb'
import type { Told } from '../../src/sdk/api'
import { ClientFrameSchema, MessageSchema, ServerFrameSchema, type ClientFrame } from '../../src/sdk/made/startalk/client_pb'
import { Session } from '../../src/sdk/session'
import type { Wire } from '../../src/sdk/socket'
import { Store, type Identity } from '../../src/sdk/store'

type Answer = NonNullable<MessageInitShape<typeof ServerFrameSchema>['frame']>
export type MessageInit = MessageInitShape<typeof MessageSchema>

export const ME = 'ann@alpha.test'
export const BOB = 'bob@alpha.test'

export class ScriptedNode {
  /** All frames that came, over all connections. */
  readonly frames: ClientFrame[] = []
  wire: (Wire & { gone: boolean }) | undefined
  cursor = Uint8Array.of(1)
  counter = 0n
  wentBack = false
  limits: { outstandingMax?: number; frameBytesMax?: number } = { outstandingMax: 64 }
  pages: () => Answer[] = () => []
  /** What a numbered command is answered; undefined: nothing. */
  answer: (frame: ClientFrame) => Answer | undefined = () => undefined

  open = (): Wire => {
    const node = this
    const wire: Wire & { gone: boolean } = {
      gone: false, binaryType: '', onopen: null, onmessage: null, onclose: null, onerror: null,
      send(bytes) {
        if (!wire.gone) node.#take(fromBinary(ClientFrameSchema, bytes))
      },
      close() {
        wire.gone = true
      },
    }
    this.wire = wire
    queueMicrotask(() => wire.onopen?.(undefined as never))
    return wire
  }

  #take(frame: ClientFrame): void {
    this.frames.push(frame)
    const say = (answer: Answer | undefined) => answer && this.say(answer, frame.id)
    switch (frame.frame.case) {
      case 'hello':
        return say({ case: 'welcome', value: { version: 1, domain: 'alpha.test', ...this.limits } })
      case 'resume':
        return say({ case: 'signedIn', value: { user: ME, device: 7n, counter: this.counter } })
      case 'sync':
        for (const page of this.pages()) say(page)
        return say({ case: 'syncPage', value: { cursor: this.cursor, last: true, wentBack: this.wentBack } })
      case 'mark':
      case 'ping':
        return say({ case: 'done', value: {} })
      default:
        return say(this.answer(frame))
    }
  }

  say(frame: Answer, replyTo = 0n): void {
    const bytes = toBinary(ServerFrameSchema, create(ServerFrameSchema, { replyTo, frame }))
    const { wire } = this
    queueMicrotask(() => {
      if (wire && !wire.gone) wire.onmessage?.({ data: bytes.slice().buffer })
    })
  }

  push(message: MessageInit, conversation = 5n): void {
    this.say({ case: 'pushed', value: { conversation, what: { case: 'message', value: message } } })
  }

  cut(): void {
    if (this.wire && !this.wire.gone) {
      this.wire.gone = true
      this.wire.onclose?.(undefined as never)
    }
  }

  of(kind: ClientFrame['frame']['case']): ClientFrame[] {
    return this.frames.filter((f) => f.frame.case === kind)
  }
}

export const IDENTITY: Identity = {
  user: ME, server: 'ws://alpha.test/v1/ws', device: '7', token: new Uint8Array(32), administrator: false, signedOut: undefined,
}

/** A conversation with Bob, as a sync tells of it. */
export function talk(head: number, messages: MessageInit[], read = 0, more: { blocked?: boolean; refused?: boolean } = {}): Answer {
  return {
    case: 'syncPage',
    value: {
      conversations: [{ conversation: { conversation: 5n, peer: { user: BOB }, head: BigInt(head), read: BigInt(read), timeMs: 1n, ...more }, messages }],
    },
  }
}

export async function session(node: ScriptedNode, factory = new IDBFactory()) {
  const store = await Store.open(factory, ME)
  const told: Told[] = []
  const made = new Session({ identity: IDENTITY, store, open: node.open, tell: (t) => told.push(t), keep: () => Promise.resolve() })
  await made.load()
  return { session: made, store, told, factory }
}

export async function until<T>(look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  for (let i = 0; i < 2_000; i++) {
    const found = await look()
    if (found) return found
    await new Promise((next) => setTimeout(next, 2))
  }
  throw new Error('waited in vain')
}

/** Small and seeded: what it gives is the same everywhere. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}
