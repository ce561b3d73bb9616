// A node that went back in time (docs/client-protocol.md §4): it was restored from an earlier copy, and has lost the end of
// what was said. What it sent is the truth; here is what it is offered again, and what now has another number.
//
// Conversations are known by whom they are with, for their numbers may mean others now; what a message answers is known by
// its id. Nothing is told or sent from here: the outbox sends it once all is numbered anew.

import { ApiError, type MessageRow, type Problem } from './api'
import type { Book } from './book'
import type { Outbox } from './outbox'
import { hex, unhex } from './rows'
import type { Socket } from './socket'
import type { Kept, Order, Reply, Said } from './store'
import { keepAsk, readAsk } from './wire'

export interface Restored {
  readonly book: Book
  readonly outbox: Outbox
  readonly ask: Socket['ask']
  /** How a message of one's own looks before it has a number. */
  readonly blank: (conversation: string, content: Uint8Array) => MessageRow
}

/** Numbers anew what waits, and adds to it what the node lost. Ends when it is on the disk; gives what is to be shown. */
export async function offerAgain(of: Restored): Promise<MessageRow[]> {
  const { missing, recalled } = await lost(of)
  const shown: MessageRow[] = []
  for (const order of of.outbox.all()) shown.push(...(await renumbered(of, order)))
  for (const said of missing.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const talk = await talkWith(of, said)
    if ('code' in talk) continue // nobody is there any more to whom it could be said
    of.outbox.forgetSaid(said.id)
    const conversation = talk.id
    const { replyTo, replySequence } = await answering(of, talk, said.reply)
    const row = { ...of.blank(conversation, said.content), replyTo: hex(replyTo), replySequence: Number(replySequence) }
    const order = of.outbox.add({
      ticket: `again ${said.id}`, kind: 'send', conversation, to: said.to, group: said.group, reply: said.reply, row,
      ask: (counter) => ({
        case: 'send',
        value: { conversation: BigInt(conversation), counter: BigInt(counter), content: said.content, knownId: unhex(said.id), replyTo, replySequence },
      }),
    })
    if (order.row) shown.push(order.row)
  }
  for (const { said, sequence, conversation } of recalled) {
    of.outbox.add({
      ticket: `again ${said.id} recalled`, kind: 'recall', conversation, to: said.to, group: said.group,
      ask: (counter) => ({ case: 'recall', value: { conversation: BigInt(conversation), sequence: BigInt(sequence), counter: BigInt(counter) } }),
    })
  }
  await of.outbox.sure()
  return shown
}

interface Lost {
  readonly missing: Said[]
  readonly recalled: { readonly said: Said; readonly sequence: number; readonly conversation: string }[]
}

/** What the node had acknowledged and does not have: messages, and that they were recalled. */
async function lost({ book, outbox, ask }: Restored): Promise<Lost> {
  const out: Lost = { missing: [], recalled: [] }
  const byTalk = new Map<string, Said[]>()
  for (const said of outbox.said()) {
    const talk = book.with(said.to, said.group)
    if (!talk || talk.head < said.sequence) {
      if (said.content.length > 0) out.missing.push(said)
    } else byTalk.set(talk.id, [...(byTalk.get(talk.id) ?? []), said])
  }
  for (const [id, all] of byTalk) {
    const left = new Map(all.map((s) => [s.id, s]))
    while (left.size > 0) {
      const before = Math.max(...[...left.values()].map((s) => s.sequence)) + 1
      const page = await ask({ case: 'history', value: { conversation: BigInt(id), before: BigInt(before), limit: 200 } }, 'page')
      const rows = book.paged(id, page)
      for (const said of [...left.values()].filter((s) => s.sequence >= Number(page.first))) {
        left.delete(said.id)
        const there = rows.find((r) => r.sequence === said.sequence && r.id === said.id)
        if (!there && said.content.length > 0) out.missing.push(said)
        if (there && said.content.length === 0 && !there.recalled) out.recalled.push({ said, sequence: there.sequence, conversation: id })
      }
      if (page.first === 0n) break
    }
  }
  return out
}

/** Gives a command that waits, or that a person is to decide on, the number that its conversation has now. */
async function renumbered(of: Restored, order: Order): Promise<MessageRow[]> {
  const { outbox } = of
  const ask = readAsk(order.frame)
  if (order.kind !== 'send' || ask.case !== 'send') {
    // What it was to change may be another message now.
    if (order.state === 'pending') outbox.failed(order.counter, { code: 'went-back', params: {} })
    return []
  }
  const talk = await talkWith(of, order)
  if ('code' in talk) {
    // Under no number: what has the old one now is another conversation.
    outbox.moveTo(order.counter, '', order.frame)
    if (order.state === 'pending') outbox.failed(order.counter, talk)
    return []
  }
  const { replyTo, replySequence } = await answering(of, talk, order.reply)
  ask.value.conversation = BigInt(talk.id)
  ask.value.to = ''
  ask.value.replyTo = replyTo
  ask.value.replySequence = replySequence
  const row = outbox.moveTo(order.counter, talk.id, keepAsk(ask))
  return row ? [row] : []
}

/** The conversation as it is now. With a person one is begun if the node lost it. */
async function talkWith({ book, ask }: Restored, { to, group }: { readonly to: string; readonly group: string }): Promise<Kept | Problem> {
  const there = book.with(to, group)
  if (there) return there
  if (group !== '' || to === '') return { code: 'went-back', params: {} }
  try {
    return book.overview(await ask({ case: 'openConversation', value: { user: to } }, 'conversation'))
  } catch (error) {
    if (error instanceof ApiError && error.code !== 'offline') return { code: error.code, params: error.params }
    throw error
  }
}

/** How a reply is sent now. In a group it goes without what it answers, if that is not under its number any more. */
async function answering({ ask }: Restored, talk: Kept, reply: Reply | undefined): Promise<{ replyTo: Uint8Array<ArrayBuffer>; replySequence: bigint }> {
  const nothing = { replyTo: new Uint8Array(), replySequence: 0n }
  if (!reply) return nothing
  if (!talk.group) return { ...nothing, replyTo: unhex(reply.id) }
  if (reply.sequence === 0) return nothing
  const after = BigInt(reply.sequence - 1)
  const page = await ask({ case: 'history', value: { conversation: BigInt(talk.id), after, limit: 1 } }, 'page')
  const same = page.messages.some((m) => Number(m.sequence) === reply.sequence && hex(m.id) === reply.id)
  return same ? { ...nothing, replySequence: BigInt(reply.sequence) } : nothing
}
