// A session against a node that says what the test wants: what is kept before what, what is sent again, what is counted.

import { create, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { ClientFrameSchema, type ClientFrame } from '../../src/sdk/made/startalk/client_pb'
import { Store } from '../../src/sdk/store'
import { text } from './people'
import { BOB, IDENTITY, ME, ScriptedNode, session, talk, until, type MessageInit } from './scripted'

const from = (author: string, sequence: number, more: MessageInit = {}): MessageInit => ({
  sequence: BigInt(sequence), author, timeMs: BigInt(sequence), content: text(`m${sequence}`), ...more,
})
/** A command as the node compares it: without the number of its frame. */
const command = (f: ClientFrame) => toBinary(ClientFrameSchema, create(ClientFrameSchema, { frame: f.frame })).join()
const taken = (sequence: number) => ({
  case: 'sent' as const, value: { conversation: 5n, sequence: BigInt(sequence), id: Uint8Array.of(sequence), timeMs: 9n },
})

describe('the cursor', () => {
  it('is kept after all that came before it', async () => {
    const node = new ScriptedNode()
    const writes: string[] = []
    const put = Store.prototype.put
    Store.prototype.put = function (room, value, key) {
      writes.push(room === 'meta' ? `${key as string}` : room === 'messages' ? `message ${(value as { sequence: number }).sequence}` : room)
      return put.call(this, room, value, key)
    }
    try {
      node.pages = () => [talk(2, [from(BOB, 1), from(BOB, 2)])]
      const { session: s } = await session(node)
      s.start()
      await until(() => s.row().link.state === 'online')
      node.push(from(BOB, 3))
      node.push(from(BOB, 4))
      node.say({ case: 'cursor', value: { cursor: Uint8Array.of(2) } })
      await until(() => writes.filter((w) => w === 'cursor').length === 2)
      const order = writes.filter((w) => w === 'cursor' || w.startsWith('message'))
      expect(order).toEqual(['message 1', 'message 2', 'cursor', 'message 3', 'message 4', 'cursor'])
      s.stop()
    } finally {
      Store.prototype.put = put
    }
  })

  it('is not kept when what came before it could not be', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(1, [from(BOB, 1)])]
    const { session: s, store, factory } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    await store.sure()
    const before = await store.meta<Uint8Array>('cursor')
    store.put('messages', { no: 'key' }) // as a full disk: its transaction fails
    node.push(from(BOB, 2))
    node.say({ case: 'cursor', value: { cursor: Uint8Array.of(9) } })
    await until(() => s.row().link.state === 'waiting')
    expect(s.row().link).toMatchObject({ problem: { code: 'failed' } })
    const again = await Store.open(factory, ME)
    expect(await again.meta('cursor')).toEqual(before)
    s.stop()
  })

  it('of another journal begins a sync from zero', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(1, [from(BOB, 1)])]
    const one = await session(node)
    one.session.start()
    await until(() => one.session.row().link.state === 'online')
    await one.store.sure()
    one.session.stop()
    node.wentBack = true
    node.pages = () => [{ case: 'syncPage', value: { ...(talk(0, []).value as object), wentBack: true } }]
    const two = await session(node, one.factory)
    two.session.start()
    await until(() => two.session.row().link.state === 'online')
    expect(two.told.some((t) => t.kind === 'again')).toBe(true)
    expect(await two.store.message('5', 1)).toBeUndefined()
    two.session.stop()
  })
})

describe('what is said', () => {
  it('is on the disk before it is on its way', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(0, [])]
    const { session: s, store, factory } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    let kept = false
    const sure = store.sure.bind(store)
    store.sure = async () => {
      await sure()
      const disk = await Store.open(factory, ME)
      kept = (await disk.orders()).length === 1 && (await disk.meta('counter')) === 1
      disk.close()
    }
    const sends: boolean[] = []
    node.answer = (f) => {
      if (f.frame.case === 'send') sends.push(kept)
      return taken(1)
    }
    const sent = s.calls.send({ ticket: 'a', conversation: '5', content: text('x') })
    s.pump() // whatever else makes it look: not before it is kept
    await sent
    await until(() => sends.length > 0)
    expect(sends).toEqual([true])
    s.stop()
  })

  it('is sent again unchanged, under the same counter, also by the next process', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(0, [])]
    const one = await session(node)
    one.session.start()
    await until(() => one.session.row().link.state === 'online')
    for (const ticket of ['a', 'b']) await one.session.calls.send({ ticket, conversation: '5', content: text(ticket) })
    await until(() => node.of('send').length === 2)
    node.cut()
    await until(() => node.of('send').length === 4)
    one.session.stop()
    const two = await session(node, one.factory)
    two.session.start()
    await until(() => node.of('send').length === 6)
    const all = node.of('send').map(command)
    expect(new Set(all).size).toBe(2)
    expect([all.slice(2, 4), all.slice(4, 6)]).toEqual([all.slice(0, 2), all.slice(0, 2)])
    // A further one has a number of its own.
    await two.session.calls.send({ ticket: 'c', conversation: '5', content: text('c') })
    await until(() => node.of('send').length === 7)
    expect(node.of('send').map((f) => (f.frame.case === 'send' ? f.frame.value.counter : 0n)).at(-1)).toBe(3n)
    two.session.stop()
  })

  it('goes on above the node’s counter when this browser’s store went back', async () => {
    const node = new ScriptedNode()
    node.counter = 40n
    node.pages = () => [talk(0, [])]
    const { session: s } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    await s.calls.send({ ticket: 'a', conversation: '5', content: text('x') })
    const sent = await until(() => node.of('send')[0])
    expect(sent.frame.case === 'send' && sent.frame.value.counter).toBe(41n)
    s.stop()
  })

  it('is the same message when the same order comes again, even when the node has it long since', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(0, [])]
    let sequence = 0
    node.answer = (f) => (f.frame.case === 'send' ? taken(++sequence) : undefined)
    const { session: s } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    const order = { ticket: 'a', conversation: '5', content: text('x') }
    await Promise.all([s.calls.send(order), s.calls.send(order)])
    await until(() => s.row().outbox === 0)
    await s.book.settled()
    expect((await s.calls.send(order)).sequence).toBe(1)
    expect(node.of('send')).toHaveLength(1)
    s.stop()
  })

  it('never has more on its way than the node takes', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(0, [])]
    let [most, out] = [0, 0]
    node.answer = (f) => {
      if (f.frame.case !== 'send') return undefined
      most = Math.max(most, ++out)
      const { id } = f
      const { counter } = f.frame.value
      setTimeout(() => {
        out -= 1
        node.say(taken(Number(counter)), id)
      }, 1)
      return undefined
    }
    const { session: s } = await session(node)
    await Promise.all(Array.from({ length: 150 }, (_, i) => s.calls.send({ ticket: `t${i}`, conversation: '5', content: text(`${i}`) })))
    s.start()
    await until(() => node.of('send').length === 150 && s.row().outbox === 0)
    expect(most).toBeGreaterThan(8)
    expect(most).toBeLessThanOrEqual(64)
    expect(node.of('send').map((f) => (f.frame.case === 'send' ? Number(f.frame.value.counter) : 0))).toEqual(Array.from({ length: 150 }, (_, i) => i + 1))
    s.stop()
  })

  it('has no more on its way than half of what this node says that it takes', async () => {
    const node = new ScriptedNode()
    node.limits = { outstandingMax: 8 }
    node.pages = () => [talk(0, [])]
    const { session: s } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    for (let i = 1; i <= 10; i++) await s.calls.send({ ticket: `t${i}`, conversation: '5', content: text(`${i}`) })
    await until(() => node.of('send').length >= 4)
    // Asked for something else meanwhile: by its answer all that was to go is gone.
    node.answer = (f) => (f.frame.case === 'listDevices' ? { case: 'devices', value: { devices: [] } } : undefined)
    await s.calls.devices()
    expect(node.of('send')).toHaveLength(4)
    s.stop()
  })

  it('that is larger than a frame of this node is refused at once, and what waits goes on', async () => {
    const node = new ScriptedNode()
    node.limits = { frameBytesMax: 1000 }
    node.pages = () => [talk(0, [])]
    node.answer = (f) => (f.frame.case === 'send' ? taken(1) : undefined)
    const { session: s } = await session(node)
    // Kept before the node has said its limit: it fails then, and does not end one connection after another.
    await s.calls.send({ ticket: 'early', conversation: '5', content: new Uint8Array(1000) })
    s.start()
    await until(() => s.row().link.state === 'online')
    await expect(s.calls.send({ ticket: 'large', conversation: '5', content: new Uint8Array(1000) })).rejects.toMatchObject({
      code: 'too-large', params: { what: 'frame', max: '1000' },
    })
    await s.calls.send({ ticket: 'small', conversation: '5', content: text('small') })
    await until(() => s.row().outbox === 0)
    expect(node.of('send').map((f) => (f.frame.case === 'send' ? f.frame.value.content.length : 0))).toEqual([text('small').length])
    const rows = (await s.calls.stretch('5', { at: 'latest' })).messages
    expect(rows.find((r) => r.own === 'failed')?.problem?.code).toBe('too-large')
    s.stop()
  })

  it('under a new device: what never went goes, what may have gone is asked about', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(0, [])]
    const { session: s, told } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    await s.calls.send({ ticket: 'flown', conversation: '5', content: text('flown') })
    await until(() => node.of('send').length === 1)
    s.stop()
    await s.calls.send({ ticket: 'kept', conversation: '5', content: text('kept') })
    await s.renew({ ...IDENTITY, device: '8' })
    s.start()
    await until(() => node.of('send').length === 2)
    const second = node.of('send')[1]
    expect(second?.frame.case === 'send' && new TextDecoder().decode(second.frame.value.content)).toContain('kept')
    const rows = (await s.calls.stretch('5', { at: 'latest' })).messages
    expect(rows.map((r) => r.own)).toEqual(['unconfirmed', 'pending'])
    expect(told.some((t) => t.kind === 'again')).toBe(true)
    s.stop()
  })

  it('that the node refuses says why, and goes again only when somebody wants it', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(0, [])]
    node.answer = (f) => (f.frame.case === 'send' ? { case: 'error', value: { code: 'blocked', params: { user: BOB } } } : undefined)
    const { session: s } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    await s.calls.send({ ticket: 'a', conversation: '5', content: text('x') })
    const failed = await until(async () => (await s.calls.stretch('5', { at: 'latest' })).messages.find((m) => m.own === 'failed'))
    expect(failed.problem).toEqual({ code: 'blocked', params: { user: BOB } })
    node.answer = (f) => (f.frame.case === 'send' ? taken(1) : undefined)
    await s.calls.retry(failed.counter)
    await until(async () => (await s.calls.stretch('5', { at: 'latest' })).messages.every((m) => m.own === 'taken'))
    expect(node.of('send')).toHaveLength(2)
    s.stop()
  })
})

describe('what is asked', () => {
  it('while a connection is being made waits for it; without one it says so', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(0, [])]
    node.answer = (f) => (f.frame.case === 'listDevices' ? { case: 'devices', value: { devices: [{ device: 7n, name: 'here', this: true }] } } : undefined)
    const { session: s } = await session(node)
    await expect(s.calls.devices()).rejects.toMatchObject({ code: 'offline' })
    s.start()
    expect(s.row().link.state).toBe('connecting')
    expect(await s.calls.devices()).toMatchObject([{ id: '7', here: true }])
    s.stop()
  })
})

describe('what is heard', () => {
  it('of who was declined is not told, also to the next process, until one writes to them oneself', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(1, [from(BOB, 1)])]
    node.answer = (f) => (f.frame.case === 'decideRequest' ? { case: 'done', value: {} } : undefined)
    const one = await session(node)
    one.session.start()
    await until(() => one.session.row().link.state === 'online')
    await one.session.calls.decide('5', false)
    expect(one.told.findLast((t) => t.kind === 'conversations')).toMatchObject({ rows: [], whole: true })
    expect(one.session.row().unread).toBe(0)
    await one.store.sure()
    one.session.stop()
    // As the node tells it from then on, and to every other device.
    node.pages = () => [talk(1, [from(BOB, 1)], 0, { blocked: true, refused: true })]
    const two = await session(node, one.factory)
    two.session.start()
    await until(() => two.session.row().link.state === 'online')
    expect(two.session.book.all()).toEqual([])
    expect(two.told.flatMap((t) => (t.kind === 'conversations' ? t.rows : []))).toEqual([])
    expect(await two.session.calls.open(BOB)).toBe('5')
    expect(two.session.book.all().map((c) => c.id)).toEqual(['5'])
    two.session.stop()
  })

  it('twice is there once, and counts once', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(2, [from(BOB, 1), from(BOB, 2)])]
    const { session: s } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    for (const n of [3, 3, 2, 3]) node.push(from(BOB, n))
    await until(async () => (await s.calls.stretch('5', { at: 'latest' })).messages.length === 3)
    await s.book.settled()
    expect(s.book.get('5')?.unread).toBe(3)
    s.stop()
  })

  it('own messages, lines, recalled ones and what was read are not unread; a call is seen', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(6, [
      from(BOB, 1), from(BOB, 2, { content: text('x', ME) }), from(ME, 3), from(BOB, 4), from(BOB, 5, { recalled: true, content: new Uint8Array() }),
      from(BOB, 6, { content: text('all', '@all') }),
    ], 2)]
    const { session: s } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    expect(s.book.get('5')).toMatchObject({ unread: 2, mentioned: true })
    await s.calls.markRead('5', 6)
    await s.book.settled()
    expect(s.book.get('5')).toMatchObject({ unread: 0, mentioned: false })
    s.stop()
  })

  it('with a gap is asked about, and each number once', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(1, [from(BOB, 1)])]
    node.answer = (f) => {
      if (f.frame.case !== 'history') return undefined
      return { case: 'page', value: { conversation: 5n, messages: [from(BOB, 2), from(BOB, 3)], first: 2n, last: 5n, head: 5n } }
    }
    const { session: s } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    node.push(from(BOB, 4))
    node.push(from(BOB, 5))
    await until(async () => (await s.calls.stretch('5', { at: 'latest' })).messages.length === 5)
    expect((await s.calls.stretch('5', { at: 'latest' })).messages.map((m) => m.sequence)).toEqual([1, 2, 3, 4, 5])
    s.stop()
  })

  it('as garbage ends the connection, and the next one goes on', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(0, [])]
    const { session: s } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    const { wire } = node
    wire?.onmessage?.({ data: Uint8Array.of(255, 255, 255, 255).buffer })
    await until(() => node.wire !== wire && s.row().link.state === 'online')
    s.stop()
  })

  it('as the end of the device stops it, keeps what waits, and forgets what was read', async () => {
    const node = new ScriptedNode()
    node.pages = () => [talk(1, [from(BOB, 1)])]
    const { session: s, store, told } = await session(node)
    s.start()
    await until(() => s.row().link.state === 'online')
    await s.calls.send({ ticket: 'a', conversation: '5', content: text('x') })
    await s.calls.keepDraft(BOB, { typed: 'half', mentions: [] })
    expect(await store.message('5', 1)).toBeDefined()
    const { wire } = node
    node.say({ case: 'close', value: { error: { code: 'token-revoked' } } })
    await new Promise((next) => setTimeout(next, 0))
    wire?.onclose?.(undefined as never)
    await until(() => s.row().link.state === 'signed-out')
    expect(await store.orders()).toHaveLength(1)
    expect(node.wire).toBe(wire)
    const kept = [await store.message('5', 1), await store.conversations(), await store.profiles(), [...(await store.drafts())], await store.meta('cursor')]
    expect(kept).toEqual([undefined, [], [], [], undefined])
    expect(told.findLast((t) => t.kind === 'conversations')).toMatchObject({ rows: [], whole: true })
    expect(s.identity.token).toHaveLength(0)
    s.stop()
  })
})
