// Commands with a number (docs/client-protocol.md §5): kept before they are sent, sent again unchanged until they are
// answered, and so done once. What the node acknowledged is remembered, to be offered again should the node lose it.
//
// An order is `pending` until it is answered; `waiting` while the home of its group has not recorded it; `failed` and
// `unconfirmed` ones that a person is to see stay until they are sent again or discarded.

import { ApiError, type MessageRow, type Problem } from './api'
import type { Sent } from './made/startalk/client_pb'
import { hex, ownKey } from './rows'
import { SAID_MAX, type Order, type Reply, type Said, type Store } from './store'
import { FRAME_BYTES_MAX, keepAsk, readAsk, tooLarge, type Ask } from './wire'

export interface NewOrder {
  readonly ticket: string
  readonly kind: Order['kind']
  readonly conversation: string
  readonly to: string
  readonly group: string
  readonly reply?: Reply | undefined
  /** Makes the ask, given its number. */
  readonly ask: (counter: number) => Ask
  /** Of a message: how it is shown, but for what its number decides. */
  readonly row?: MessageRow
}

/** What the number of a frame adds to it at most. */
const FRAME_ID_BYTES = 11

interface Waiter {
  resolve(sent: Sent | undefined): void
  reject(error: ApiError): void
}

export class Outbox {
  /** What the node takes at once. */
  frameBytesMax = FRAME_BYTES_MAX
  readonly #store: Store
  #device: string
  #counter = 0
  readonly #orders = new Map<number, Order>()
  /** By id, which grows: the first is the oldest. */
  readonly #said = new Map<string, Said>()
  /** Given to the store, and not on the disk yet: not to be sent. */
  readonly #unsure = new Set<number>()
  readonly #flying = new Set<number>()
  readonly #waiters = new Map<number, Waiter>()

  constructor(store: Store, device: string) {
    this.#store = store
    this.#device = device
  }

  async load(): Promise<void> {
    this.#counter = (await this.#store.meta<number>('counter')) ?? 0
    for (const order of await this.#store.orders()) this.#orders.set(order.counter, order)
    for (const said of await this.#store.said()) this.#said.set(said.id, said)
  }

  /**
   * Signed in anew: another device, whose numbers begin at 1. What was never on its way goes under new numbers. Of the rest
   * nobody can know what became of it: of messages a person is asked. What waits for a group's home the node has.
   */
  moved(device: string): void {
    if (device === this.#device) return
    const open = [...this.#orders.values()].sort((a, b) => a.counter - b.counter)
    this.#store.clear('orders')
    this.#orders.clear()
    this.#unsure.clear()
    this.#flying.clear()
    const problem = { code: 'token-revoked', params: {} }
    for (const waiter of this.#waiters.values()) waiter.reject(new ApiError(problem.code))
    this.#waiters.clear()
    this.#device = device
    this.#counter = 0
    for (const order of open) {
      if (order.state === 'waiting' || (order.flown && !order.row)) continue
      const next = this.#renumbered(order)
      if (order.state !== 'pending' || !order.flown) this.#keep(next)
      else this.#keep({ ...next, state: 'unconfirmed', problem, row: next.row && { ...next.row, own: 'unconfirmed', problem } })
    }
  }

  #renumbered(order: Order): Order {
    const counter = this.#nextCounter()
    const frame = renumber(order.frame, counter)
    const row = order.row && { ...order.row, key: ownKey(this.#device, counter), counter }
    const { flown: _, ...rest } = order
    return { ...rest, counter, frame, row }
  }

  /** The node knows of higher numbers than this browser does: its store went back. */
  atLeast(counter: number): void {
    if (counter <= this.#counter) return
    this.#counter = counter
    this.#store.put('meta', counter, 'counter')
  }

  /** For a command that is asked at once and not kept. */
  number(): number {
    return this.#nextCounter()
  }

  #nextCounter(): number {
    this.#counter += 1
    this.#store.put('meta', this.#counter, 'counter')
    return this.#counter
  }

  /** Ends when every command that was added is on the disk; then they may be sent. */
  async sure(): Promise<void> {
    const counters = [...this.#unsure]
    await this.#store.sure()
    for (const counter of counters) this.#unsure.delete(counter)
  }

  #keep(order: Order): Order {
    if (order.state === 'pending' && this.#orders.get(order.counter)?.state !== 'pending') this.#unsure.add(order.counter)
    this.#orders.set(order.counter, order)
    this.#store.put('orders', order)
    return order
  }

  /** Keeps a command. It may be sent when `sure` has ended. */
  add(order: NewOrder): Order {
    for (const there of this.#orders.values()) if (there.ticket === order.ticket) return there
    const counter = this.#nextCounter()
    const frame = keepAsk(order.ask(counter))
    // Sent all the same it would end the connection, and every one after it.
    if (!this.fits(frame)) throw new ApiError('too-large', tooLarge(frame, this.frameBytesMax))
    return this.#keep({
      counter,
      ticket: order.ticket,
      kind: order.kind,
      conversation: order.conversation,
      to: order.to,
      group: order.group,
      reply: order.reply,
      frame,
      made: Date.now(),
      state: 'pending',
      problem: undefined,
      row: order.row && { ...order.row, key: ownKey(this.#device, counter), counter, own: 'pending' },
    })
  }

  /** Whether the node takes a frame of this size, with the id that it is sent under. */
  fits(frame: Uint8Array): boolean {
    return frame.length + FRAME_ID_BYTES <= this.frameBytesMax
  }

  /** The message of this ticket, if the node has taken it already. */
  taken(ticket: string): Said | undefined {
    for (const said of this.#said.values()) if (said.ticket === ticket) return said
    return undefined
  }

  /** Ends when the command is answered. */
  outcome(counter: number): Promise<Sent | undefined> {
    return new Promise((resolve, reject) => this.#waiters.set(counter, { resolve, reject }))
  }

  get(counter: number): Order | undefined {
    return this.#orders.get(counter)
  }

  /** To be sent, in their order. */
  due(): Order[] {
    return [...this.#orders.values()]
      .filter((o) => o.state === 'pending' && !this.#flying.has(o.counter) && !this.#unsure.has(o.counter))
      .sort((a, b) => a.counter - b.counter)
  }

  get waitingCount(): number {
    let count = 0
    for (const o of this.#orders.values()) if (o.state === 'pending') count += 1
    return count
  }

  fly(counter: number): void {
    this.#flying.add(counter)
    const order = this.#orders.get(counter)
    if (order && !order.flown) this.#keep({ ...order, flown: true })
  }

  get flying(): number {
    return this.#flying.size
  }

  /** The connection ended: whatever has no answer is sent again. */
  landed(counter?: number): void {
    if (counter === undefined) this.#flying.clear()
    else this.#flying.delete(counter)
  }

  /** Own messages of a conversation that have no place yet, oldest first. */
  rows(conversation: string): MessageRow[] {
    return [...this.#orders.values()]
      .filter((o) => o.conversation === conversation && o.row)
      .sort((a, b) => a.counter - b.counter)
      .flatMap((o) => (o.row ? [o.row] : []))
  }

  /** Answered with its place, or with 0: it waits for the group's home. The row as it is now. */
  sent(counter: number, sent: Sent): MessageRow | undefined {
    const order = this.#orders.get(counter)
    this.landed(counter)
    const waiter = this.#waiters.get(counter)
    this.#waiters.delete(counter)
    waiter?.resolve(sent)
    if (!order) return undefined
    const [sequence, conversation] = [Number(sent.sequence), String(sent.conversation)]
    const row = order.row && {
      ...order.row, conversation, sequence, id: hex(sent.id), time: Number(sent.timeMs) || order.row.time,
      own: sequence === 0 ? ('waiting' as const) : ('taken' as const), problem: undefined,
    }
    if (sequence === 0 && row) {
      this.#keep({ ...order, conversation, state: 'waiting', problem: undefined, row })
      return row
    }
    this.forget(counter)
    if (row) this.#remember(order, row)
    return row && { ...row, counter: 0 }
  }

  /** A group's home recorded what waited. */
  recorded(counter: number, row: MessageRow): void {
    const order = this.#orders.get(counter)
    if (!order) return
    this.forget(counter)
    this.#remember(order, row)
  }

  #remember({ ticket, to, group, reply }: Order, { conversation, sequence, id, content }: MessageRow): void {
    const said: Said = { ticket, to, group, conversation, sequence, id, content, reply }
    this.#said.set(said.id, said)
    this.#store.put('said', said)
    const [oldest] = this.#said.keys()
    if (this.#said.size > SAID_MAX && oldest !== undefined) this.forgetSaid(oldest)
  }

  /** A message was taken back: it is not to be offered again. */
  recalled(conversation: string, sequence: number): void {
    for (const said of this.#said.values()) {
      if (said.conversation !== conversation || said.sequence !== sequence) continue
      const next = { ...said, content: new Uint8Array() }
      this.#said.set(said.id, next)
      this.#store.put('said', next)
    }
  }

  said(): Said[] {
    return [...this.#said.values()]
  }

  forgetAllSaid(): void {
    this.#said.clear()
    this.#store.clear('said')
  }

  /** Messages that the node keeps no longer are not offered to it again. */
  letGo(ids: readonly string[]): void {
    for (const id of ids) if (this.#said.has(id)) this.forgetSaid(id)
  }

  forgetSaid(id: string): void {
    this.#said.delete(id)
    this.#store.remove('said', id)
  }

  /** It was not, or perhaps not, done. The row as it is now; commands that are no messages are dropped. */
  failed(counter: number, problem: Problem, state: 'failed' | 'unconfirmed' = 'failed'): MessageRow | undefined {
    const order = this.#orders.get(counter)
    this.landed(counter)
    const waiter = this.#waiters.get(counter)
    this.#waiters.delete(counter)
    waiter?.reject(new ApiError(problem.code, problem.params))
    if (!order) return undefined
    if (!order.row) {
      this.forget(counter)
      return undefined
    }
    const row: MessageRow = { ...order.row, own: state, problem: { code: problem.code, params: problem.params } }
    this.#keep({ ...order, state, problem: row.problem, row })
    return row
  }

  /** Once more: under a new number, as the old one may have left what the node remembers. Both rows: to forget, to show. */
  again(counter: number): { old: MessageRow; now: Order } | undefined {
    const order = this.#orders.get(counter)
    if (!order?.row || order.state === 'pending' || order.state === 'waiting') return undefined
    this.forget(counter)
    const now = this.#keep({ ...this.#renumbered(order), state: 'pending', problem: undefined })
    const row = now.row && { ...now.row, own: 'pending' as const, problem: undefined }
    return { old: order.row, now: this.#keep({ ...now, row }) }
  }

  all(): Order[] {
    return [...this.#orders.values()].sort((a, b) => a.counter - b.counter)
  }

  /** The node lost the end of its history: the conversation has another number now, and what is answered may have. */
  moveTo(counter: number, conversation: string, frame: Uint8Array): MessageRow | undefined {
    const order = this.#orders.get(counter)
    return order && this.#keep({ ...order, conversation, frame, row: order.row && { ...order.row, conversation } }).row
  }

  waiting(): Order[] {
    return [...this.#orders.values()].filter((o) => o.state === 'waiting')
  }

  forget(counter: number): Order | undefined {
    const order = this.#orders.get(counter)
    this.#orders.delete(counter)
    this.#unsure.delete(counter)
    this.#store.remove('orders', counter)
    return order
  }
}

/** The same command under another number. */
function renumber(frame: Uint8Array, counter: number): Uint8Array {
  const ask = readAsk(frame)
  if (ask.case === undefined || !('counter' in ask.value)) return frame
  ask.value.counter = BigInt(counter)
  return keepAsk(ask)
}
