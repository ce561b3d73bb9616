// The SDK against real nodes: what was acknowledged arrives once, whatever is cut or killed. STARTALK_BINARIES names the
// folder with the node's program.

import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { blake3 } from '../harness/blake3.mjs'
import { Node } from '../harness/node.mjs'
import { Person, text, wordsOf } from './people'

const programs = process.env['STARTALK_BINARIES']

describe.skipIf(!programs)('against real nodes', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'startalk-sdk-'))
  let alpha: Node
  let beta: Node

  const at = (node: Node) => () => `http://127.0.0.1:${node.gate.port}`
  const person = async (node: Node, name: string) => new Person(at(node)).register(name, await node.invitation())
  const friends = async (a: Person, b: Person) => ({
    here: await a.calls.open(b.user),
    there: await b.calls.open(a.user),
  })

  beforeAll(async () => {
    ;[alpha, beta] = ['alpha.test', 'beta.test'].map((domain) => new Node({ programs: resolve(programs ?? ''), folder, domain })) as [Node, Node]
    const nodes = [alpha, beta]
    await Promise.all(nodes.map((n) => n.start()))
    await Promise.all(nodes.map((n) => n.stop()))
    const peer = (n: Node) => `${n.domain}=127.0.0.1:${n.port}#${blake3(readFileSync(join(n.data, 'keys/root.pub'))).toString('hex')}`
    alpha.peers = [peer(beta)]
    beta.peers = [peer(alpha)]
    await Promise.all(nodes.map((n) => n.start()))
    await Promise.all(nodes.map((n) => n.gate.open()))
  }, 120_000)

  afterEach(() => [alpha, beta].forEach((n) => n.gate.mend()))

  afterAll(async () => {
    for (const n of [alpha, beta]) {
      await n.stop().catch(() => n.kill())
      n.gate.close()
    }
    rmSync(folder, { recursive: true, force: true })
  })

  it('two people of one domain write to each other, and marks tell what was read', async () => {
    const [ann, bob] = [await person(alpha, 'ann'), await person(alpha, 'bob')]
    const { here } = await friends(ann, bob)
    await ann.calls.send({ ticket: 't1', conversation: here, content: text('hello', bob.user) })
    const got = await bob.until('the message', async () => (await bob.latest(ann.user)).find((m) => wordsOf(m).includes('hello')))
    const talk = await bob.until('one unread', () => bob.talkWith(ann.user)?.unread === 1 && bob.talkWith(ann.user))
    expect(talk.mentioned).toBe(true)
    await ann.until('the mark of delivery', () => (ann.talkWith(bob.user)?.peer?.delivered ?? 0) >= got.sequence)
    expect(ann.talkWith(bob.user)?.peer?.read).toBe(0)
    await bob.calls.markRead(talk.id, got.sequence)
    await ann.until('the mark', () => (ann.talkWith(bob.user)?.peer?.read ?? 0) >= got.sequence)
    await bob.until('nothing unread', () => bob.talkWith(ann.user)?.unread === 0)
    const mine = await ann.until('taken', async () => (await ann.latest(bob.user)).find((m) => m.own === 'taken'))
    await ann.calls.edit(here, mine.sequence, text('hello again'))
    await bob.until('the edit', async () => (await bob.latest(ann.user)).some((m) => wordsOf(m).includes('again') && m.editedTime > 0))
    await ann.calls.recall(here, mine.sequence)
    await bob.until('the recall', async () => (await bob.latest(ann.user)).some((m) => m.recalled))
    ann.kill()
    bob.kill()
  })

  it('what is said without a connection goes once when there is one, in its order', async () => {
    const [cid, dan] = [await person(alpha, 'cid'), await person(beta, 'dan')]
    const here = await cid.calls.open(dan.user)
    alpha.gate.cut()
    for (let i = 1; i <= 20; i++) await cid.calls.send({ ticket: `o${i}`, conversation: here, content: text(`word-${i}.`) })
    // Every tab is closed, and opened again.
    cid.kill()
    await cid.begin()
    expect((await cid.latest(dan.user)).map((m) => m.own)).toEqual(Array<string>(20).fill('pending'))
    alpha.gate.mend()
    for (const account of [cid]) account.calls.reconnect()
    const got = await dan.until('all twenty', async () => (await dan.latest(cid.user)).length >= 20 && dan.latest(cid.user))
    expect(got.map(wordsOf).map((w) => /word-\d+\./.exec(w)?.[0])).toEqual(Array.from({ length: 20 }, (_, i) => `word-${i + 1}.`))
    await cid.until('all taken', async () => (await cid.latest(dan.user)).every((m) => m.own === 'taken'))
    expect(await cid.latest(dan.user)).toHaveLength(20)
    cid.kill()
    dan.kill()
  })

  it('an answer that is lost with its worker makes no double', async () => {
    const [eve, fay] = [await person(alpha, 'eve'), await person(alpha, 'fay')]
    const here = await eve.calls.open(fay.user)
    // Fay hears through the node's own port: the gate holds only what Eve hears.
    const direct = new Person(() => `http://127.0.0.1:${alpha.port}`, fay.factory)
    fay.kill()
    direct.user = fay.user
    const again = await new Person(() => `http://127.0.0.1:${alpha.port}`).begin()
    again.user = (await again.host.enter(
      { kind: 'password', name: 'fay', domain: '', password: 'a good password', device: 'other' }, () => undefined)).user
    alpha.gate.hold()
    await eve.calls.send({ ticket: 'once', conversation: here, content: text('only-once') })
    await again.until('the message', async () => (await again.latest(eve.user)).length > 0)
    eve.kill()
    alpha.gate.mend()
    await eve.begin()
    // The tab asks its next worker for the same again.
    await eve.calls.send({ ticket: 'once', conversation: here, content: text('only-once') })
    await eve.online()
    await eve.until('taken', async () => (await eve.latest(fay.user)).some((m) => m.own === 'taken'))
    await eve.calls.send({ ticket: 'once', conversation: here, content: text('only-once') })
    await eve.calls.send({ ticket: 'after', conversation: here, content: text('after-it') })
    await again.until('what came after', async () => (await again.latest(eve.user)).some((m) => wordsOf(m).includes('after-it')))
    for (const who of [await again.latest(eve.user), await eve.latest(fay.user)]) {
      expect(who.map(wordsOf).filter((w) => w.includes('only-once'))).toHaveLength(1)
      expect(who).toHaveLength(2)
    }
    eve.kill()
    again.kill()
  })

  it('a node that was restored from an earlier copy is offered what it lost, and doubles nothing', async () => {
    const [gus, hal] = [await person(alpha, 'gus'), await person(alpha, 'hal')]
    const here = await gus.calls.open(hal.user)
    await gus.calls.send({ ticket: 'kept', conversation: here, content: text('kept-one') })
    await hal.until('the first', async () => (await hal.latest(gus.user)).length === 1)
    await alpha.stop()
    cpSync(alpha.data, `${alpha.data}.copy`, { recursive: true })
    await alpha.start()
    await gus.calls.reconnect()
    await gus.online()
    await gus.calls.send({ ticket: 'lost', conversation: here, content: text('lost-one') })
    await gus.until('taken', async () => (await gus.latest(hal.user)).filter((m) => m.own === 'taken').length === 2)
    await gus.until('a kept cursor after it', () => new Promise<boolean>((r) => setTimeout(() => r(true), 1_500)))
    await alpha.stop()
    rmSync(alpha.data, { recursive: true })
    cpSync(`${alpha.data}.copy`, alpha.data, { recursive: true })
    await alpha.start()
    await gus.calls.reconnect()
    await hal.calls.reconnect()
    await gus.until('both again', async () => {
      const rows = await gus.latest(hal.user)
      return rows.length === 2 && rows.every((m) => m.own === 'taken')
    })
    await hal.until('both there', async () => (await hal.latest(gus.user)).length === 2)
    expect((await hal.latest(gus.user)).map(wordsOf).map((w) => /kept-one|lost-one/.exec(w)?.[0])).toEqual(['kept-one', 'lost-one'])
    gus.kill()
    hal.kill()
  })

  it('of two accounts one is forgotten and the other goes on; one that was signed out elsewhere comes back with what waited', async () => {
    const ivy = await person(alpha, 'ivy')
    const jon = await ivy.host.enter(
      { kind: 'register', name: 'jon', displayName: '', password: 'a good password', invitation: await alpha.invitation(), device: 'same' }, () => undefined)
    const jonCalls = ivy.host.account(jon.user)
    const there = await jonCalls?.open(ivy.user)
    // Another of Ivy's devices ends this one while she writes without a connection.
    const other = await new Person(at(alpha)).begin()
    other.user = (await other.host.enter(
      { kind: 'password', name: 'ivy', domain: 'alpha.test', password: 'a good password', device: 'other' }, () => undefined)).user
    const here = await ivy.calls.open(jon.user)
    const first = (await other.calls.devices()).find((d) => !d.here)
    expect(first?.name).toBe('test')
    alpha.gate.cut()
    await ivy.calls.send({ ticket: 'kept', conversation: here, content: text('kept-through') })
    alpha.gate.mend()
    await other.calls.reconnect()
    await other.online()
    await other.calls.revokeDevice(first?.id ?? '').catch(() => undefined)
    await ivy.calls.reconnect()
    // Whether it went before the device ended or not: it is there once in the end, or a person is asked.
    const state = await ivy.until('an end', async () => {
      const row = ivy.told.findLast((t) => t.kind === 'account' && t.row.user === ivy.user)
      return row?.kind === 'account' && row.row.link.state === 'signed-out' && row.row.link.problem.code
    })
    expect(state).toBe('token-revoked')
    await ivy.host.enter({ kind: 'password', name: 'ivy', domain: '', password: 'a good password', device: 'again' }, () => undefined)
    const rows = await ivy.until('an end of what waited', async () => {
      const all = await ivy.latest(jon.user)
      return all.length > 0 && all.every((m) => m.own !== 'pending') && all
    })
    expect(rows.filter((m) => m.own === 'taken').length).toBeLessThanOrEqual(1)
    // Jon's is forgotten, with all that was kept of him; Ivy's goes on.
    await expect(ivy.host.enter({ kind: 'password', name: 'jon', domain: '', password: 'wrong', device: 'x' }, () => undefined)).rejects.toMatchObject({
      code: 'wrong-credentials',
    })
    const tab = { told: [] as string[] }
    const port = ivy.host.attach((down) => down.k === 'value' && tab.told.push(`value ${down.id}`))
    port.up({ k: 'call', id: 1, account: jon.user, name: 'signOut', args: [true] })
    await ivy.until('the answer', () => tab.told.includes('value 1'))
    expect(ivy.host.account(jon.user)).toBeUndefined()
    expect((await ivy.factory.databases()).map((d) => d.name)).not.toContain(`startalk:${jon.user}`)
    expect(there).toBeDefined()
    await ivy.calls.send({ ticket: 'on', conversation: here, content: text('goes-on') })
    await ivy.until('taken', async () => (await ivy.latest(jon.user)).some((m) => m.own === 'taken' && wordsOf(m).includes('goes-on')))
    ivy.kill()
    other.kill()
  })

  it('what is said in a group whose home is away waits, and is there once when it is back', async () => {
    const [kim, lea] = [await person(beta, 'kim'), await person(alpha, 'lea')]
    const talk = await kim.calls.open(lea.user)
    await kim.calls.send({ ticket: 'hello', conversation: talk, content: text('hello') })
    const asks = await lea.until('the request', () => lea.talkWith(kim.user))
    await lea.calls.decide(asks.id, true)
    const { conversation } = await kim.calls.createGroup('of two domains', [lea.user])
    const [invitation] = await lea.until('the invitation', async () => {
      const all = await lea.calls.groupInvitations()
      return all.length > 0 && all
    })
    await lea.calls.decideInvitation(invitation?.group ?? '', true)
    const there = await lea.until('being in', () => [...lea.conversations.values()].find((c) => c.group?.standing === 'member'))
    const said = async (who: Person, id: string, words: string) =>
      (await who.calls.stretch(id, { at: 'latest' }, 200)).messages.filter((m) => wordsOf(m).includes(words))
    await lea.calls.send({ ticket: 'near', conversation: there.id, content: text('while-near') })
    await kim.until('the first', async () => (await said(kim, conversation, 'while-near')).length > 0)
    await beta.stop()
    await lea.calls.send({ ticket: 'far', conversation: there.id, content: text('while-away') })
    await lea.until('waiting', async () => (await said(lea, there.id, 'while-away'))[0]?.own === 'waiting')
    // Also the next process knows that it waits.
    lea.kill()
    await lea.begin()
    expect((await said(lea, there.id, 'while-away')).map((m) => m.own)).toEqual(['waiting'])
    await beta.start()
    await kim.calls.reconnect()
    await lea.until('recorded', async () => (await said(lea, there.id, 'while-away'))[0]?.own === 'taken')
    await kim.until('both', async () => (await said(kim, conversation, 'while-')).length === 2)
    expect(await said(lea, there.id, 'while-')).toHaveLength(2)
    expect((await lea.calls.members(there.id, 0, 50, false)).count).toBe(2)
    kim.kill()
    lea.kill()
  })
})
