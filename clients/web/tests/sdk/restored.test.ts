// A node that went back in time, and what becomes of conversations, of what is typed, of replies and of what waits.

import { describe, expect, it } from 'vitest'
import type { ConversationRow, Told } from '../../src/sdk/api'
import { hex } from '../../src/sdk/rows'
import { text } from './people'
import { BOB, ME, ScriptedNode, session, talk, until, type MessageInit } from './scripted'

const CARL = 'carl@alpha.test'
const GROUP = 'abcdefghijklmnopqrstuvwxyz'
const id = (n: number) => new Uint8Array(16).fill(n)

/** What a tab has in its list after all that it was told. */
function list(told: readonly Told[]): string[] {
  let all = new Map<string, ConversationRow>()
  for (const t of told) {
    if (t.kind !== 'conversations') continue
    if (t.whole) all = new Map()
    for (const row of t.rows) all.set(row.id, row)
  }
  return [...all.values()].map((c) => `${c.id} ${c.group?.group ?? c.peer?.user ?? 'nobody'}`).sort()
}

const page = (conversations: object[]) => ({ case: 'syncPage' as const, value: { conversations } })
const wentBack = (conversations: object[]) => ({ case: 'syncPage' as const, value: { conversations, wentBack: true } })
const withPerson = (conversation: bigint, user: string, messages: MessageInit[] = []) => ({
  conversation: { conversation, peer: { user }, head: BigInt(messages.length), timeMs: 1n }, messages,
})
const inGroup = (messages: MessageInit[]) => ({
  conversation: { conversation: 9n, group: { group: GROUP, home: 'alpha.test', name: 'G', standing: 'member', first: 1n }, head: BigInt(messages.length), timeMs: 1n },
  messages,
})
const said = (sequence: number, author: string, more: MessageInit = {}): MessageInit => ({
  sequence: BigInt(sequence), author, id: id(sequence), timeMs: BigInt(sequence), content: text(`m${sequence}`), ...more,
})

/** Takes each message under the next number; gives history out of `rows`, and begins conversations under 7. */
function taking(node: ScriptedNode, from: number, rows: () => MessageInit[] = () => []): void {
  let sequence = from
  node.answer = (f) => {
    switch (f.frame.case) {
      case 'send': {
        const { conversation, knownId } = f.frame.value
        sequence += 1
        return { case: 'sent', value: { conversation, sequence: BigInt(sequence), id: knownId.length > 0 ? knownId : id(sequence), timeMs: 9n } }
      }
      case 'history': {
        const { after, before } = f.frame.value
        const all = rows().filter((m) => (after > 0n || before === 0n ? (m.sequence ?? 0n) > after : (m.sequence ?? 0n) < before))
        return { case: 'page', value: { conversation: f.frame.value.conversation, messages: all, first: 1n, last: BigInt(all.length), head: BigInt(rows().length) } }
      }
      case 'openConversation':
        return { case: 'conversation', value: { conversation: 7n, peer: { user: f.frame.value.user }, timeMs: 2n } }
      default:
        return undefined
    }
  }
}
const sends = (node: ScriptedNode) => node.of('send').flatMap((f) => (f.frame.case === 'send' ? [f.frame.value] : []))

describe('after a node went back in time', () => {
  it('a conversation that it lost is not in the list, and its number may be another’s', async () => {
    const node = new ScriptedNode()
    node.pages = () => [page([withPerson(4n, CARL), withPerson(5n, BOB, [said(1, BOB)])])]
    const { session: s, told } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    expect(list(told)).toEqual([`4 ${CARL}`, `5 ${BOB}`])
    await s.calls.keepDraft(BOB, { typed: 'for Bob alone', mentions: [], edits: 1 })
    node.pages = () => [wentBack([withPerson(5n, CARL)])]
    node.cut()
    await until(() => told.some((t) => t.kind === 'again') && s.row().link.state === 'online')
    expect(list(told)).toEqual([`5 ${CARL}`])
    // What was typed for Bob is not in the conversation that has his number now, and is his when there is one again.
    expect(s.book.get('5')?.draft).toBe('')
    expect(await s.calls.draft(CARL)).toBeUndefined()
    taking(node, 0)
    const again = await s.calls.open(BOB)
    expect(s.book.get(again)?.draft).toBe('for Bob alone')
    // The message that it was to change may be another one now.
    expect(await s.calls.draft(BOB)).toEqual({ typed: 'for Bob alone', mentions: [] })
    s.stop()
  })

  it('what failed or waits goes to whom it was written, under the number that their conversation has now', async () => {
    const node = new ScriptedNode()
    node.pages = () => [page([withPerson(5n, BOB)])]
    node.answer = (f) => (f.frame.case === 'send' ? { case: 'error', value: { code: 'blocked', params: { user: BOB } } } : undefined)
    const { session: s, told } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    await s.calls.send({ ticket: 'failed', conversation: '5', content: text('failed') })
    await until(async () => (await s.calls.stretch('5', { at: 'latest' })).messages.some((m) => m.own === 'failed'))
    node.cut()
    await s.calls.send({ ticket: 'waits', conversation: '5', content: text('waits') })
    taking(node, 0)
    node.pages = () => [wentBack([withPerson(5n, CARL)])]
    await s.calls.reconnect()
    await until(() => told.some((t) => t.kind === 'again') && s.row().link.state === 'online' && s.row().outbox === 0)
    expect(sends(node).at(-1)).toMatchObject({ conversation: 7n, to: '' })
    expect((await s.calls.stretch('5', { at: 'latest' })).messages).toEqual([])
    const failed = (await s.calls.stretch('7', { at: 'latest' })).messages.find((m) => m.own === 'failed')
    await s.calls.retry(failed?.counter ?? 0)
    await until(() => sends(node).length === 3)
    expect(sends(node).map((v) => v.conversation)).toEqual([5n, 7n, 7n])
    expect(list(told)).toEqual([`5 ${CARL}`, `7 ${BOB}`])
    s.stop()
  })

  it('a message that is offered again still answers what it answered', async () => {
    const node = new ScriptedNode()
    node.pages = () => [page([withPerson(5n, BOB, [said(1, BOB)])])]
    taking(node, 1)
    const { session: s, told } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    await s.calls.send({ ticket: 'a', conversation: '5', content: text('an answer'), replyTo: hex(id(1)) })
    await until(() => s.row().outbox === 0)
    node.pages = () => [wentBack([withPerson(5n, BOB, [said(1, BOB)])])]
    node.cut()
    await until(() => told.some((t) => t.kind === 'again') && s.row().link.state === 'online' && sends(node).length === 2)
    const again = sends(node)[1]
    expect([hex(again?.knownId ?? id(0)), hex(again?.replyTo ?? id(0))]).toEqual([hex(id(2)), hex(id(1))])
    s.stop()
  })

  it.each([
    ['still answers it, if that is under its number', 1, 1n],
    ['answers nothing, if its number is another message’s now', 8, 0n],
  ])('in a group, where a message is answered by its number, it %s', async (_, now, expected) => {
    const node = new ScriptedNode()
    node.pages = () => [page([inGroup([said(1, BOB)])])]
    taking(node, 1)
    const { session: s, told } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    await s.calls.send({ ticket: 'a', conversation: '9', content: text('an answer'), replyTo: hex(id(1)), replySequence: 1 })
    await until(() => s.row().outbox === 0)
    expect(sends(node)[0]).toMatchObject({ replySequence: 1n, replyTo: new Uint8Array() })
    const there = [said(1, BOB, { id: id(now) })]
    taking(node, 1, () => there)
    node.pages = () => [wentBack([inGroup(there)])]
    node.cut()
    await until(() => told.some((t) => t.kind === 'again') && s.row().link.state === 'online' && sends(node).length === 2)
    expect(sends(node)[1]?.replySequence).toBe(expected)
    s.stop()
  })

  it('what was read and not yet told is not said of other messages', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(3, [said(1, BOB), said(2, BOB), said(3, BOB)])]
    const { session: s, told } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    node.cut()
    await s.calls.markRead('5', 3)
    node.pages = () => [wentBack([withPerson(5n, CARL, [said(1, CARL), said(2, CARL), said(3, CARL)])])]
    await s.calls.reconnect()
    await until(() => told.some((t) => t.kind === 'again') && s.row().link.state === 'online')
    // What has arrived is told, before the cut too if there was time; by then what was read would have been.
    const marks = await until(() => node.of('mark').length > 0 && node.of('mark'))
    expect(new Set(marks.flatMap((f) => (f.frame.case === 'mark' ? [f.frame.value.read] : [])))).toEqual(new Set([0n]))
    expect(s.book.get('5')?.unread).toBe(3)
    s.stop()
  })

  it('own notes are one’s own still', async () => {
    const node = new ScriptedNode()
    node.pages = () => [page([withPerson(5n, ME)])]
    taking(node, 0)
    const { session: s, told } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    await s.calls.send({ ticket: 'n', conversation: '5', content: text('a note') })
    await until(() => s.row().outbox === 0)
    node.pages = () => [wentBack([])]
    node.cut()
    await until(() => told.some((t) => t.kind === 'again') && s.row().link.state === 'online' && sends(node).length === 2)
    expect(list(told)).toEqual([`7 ${ME}`])
    expect(sends(node)[1]).toMatchObject({ conversation: 7n, knownId: id(1) })
    s.stop()
  })
})
