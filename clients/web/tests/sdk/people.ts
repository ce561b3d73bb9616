// A person's browser without a browser: the SDK's host on a database of its own, that can be killed in the middle.

import 'fake-indexeddb/auto'
import { create, toBinary } from '@bufbuild/protobuf'
import { IDBFactory } from 'fake-indexeddb'
import { WebSocket } from 'ws'
import type { AccountCalls, ConversationRow, MessageRow, Told } from '../../src/sdk/api'
import { ContentSchema } from '../../src/sdk/made/startalk/content_pb'
import { Host } from '../../src/sdk/host'
import type { Wire } from '../../src/sdk/socket'
import type { World } from '../../src/sdk/world'

export function text(words: string, mention = ''): Uint8Array {
  return toBinary(ContentSchema, create(ContentSchema, {
    kind: { case: 'text', value: { blocks: [{ inlines: [{ text: words, mention }] }] } },
  }))
}

export function wordsOf(row: MessageRow): string {
  return new TextDecoder().decode(row.content).replace(/[\x00-\x1f]/g, '')
}

export class Person {
  readonly factory: IDBFactory
  readonly told: Told[] = []
  readonly wires = new Set<WebSocket>()
  host!: Host
  user = ''
  #alive = { yes: true }

  constructor(readonly origin: () => string, factory = new IDBFactory()) {
    this.factory = factory
  }

  world(): World {
    const alive = this.#alive
    return {
      factory: this.factory,
      origin: this.origin(),
      language: 'en',
      fetch,
      isKept: true,
      openWire: (url) => {
        if (!alive.yes) throw new Error('killed')
        const wire = new WebSocket(url)
        this.wires.add(wire)
        wire.on('close', () => this.wires.delete(wire))
        wire.on('error', () => undefined)
        return wire as unknown as Wire
      },
    }
  }

  async begin(): Promise<this> {
    this.#alive = { yes: true }
    this.told.length = 0
    this.host = await Host.open(this.world())
    this.host.listen((told) => this.told.push(told))
    return this
  }

  /** As if the process were killed: connections end without a word, and nothing is done any more. */
  kill(): void {
    this.#alive.yes = false
    for (const wire of this.wires) wire.terminate()
  }

  async register(name: string, invitation: string): Promise<this> {
    await this.begin()
    const entered = await this.host.enter(
      { kind: 'register', name, displayName: '', password: 'a good password', invitation, device: 'test' }, () => undefined)
    this.user = entered.user
    return this
  }

  get calls(): AccountCalls {
    const calls = this.host.account(this.user)
    if (!calls) throw new Error('no account')
    return calls
  }

  /** Ends when `look` gives something. */
  async until<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
    for (let i = 0; i < 600; i++) {
      const found = await look()
      if (found) return found
      await new Promise((next) => setTimeout(next, 25))
    }
    throw new Error(`${this.user} waits in vain for: ${what}`)
  }

  get conversations(): ReadonlyMap<string, ConversationRow> {
    const rows = new Map<string, ConversationRow>()
    for (const told of this.told) if (told.kind === 'conversations') for (const row of told.rows) rows.set(row.id, row)
    return rows
  }

  talkWith(user: string): ConversationRow | undefined {
    return [...this.conversations.values()].find((c) => c.peer?.user === user)
  }

  online(): Promise<unknown> {
    return this.until('being online', () => {
      const row = this.told.findLast((t) => t.kind === 'account' || t.kind === 'accounts')
      const account = row?.kind === 'account' ? row.row : row?.kind === 'accounts' ? row.rows[0] : undefined
      return account?.link.state === 'online'
    })
  }

  async latest(user: string): Promise<readonly MessageRow[]> {
    const talk = this.talkWith(user)
    return talk ? (await this.calls.stretch(talk.id, { at: 'latest' }, 200)).messages : []
  }
}
