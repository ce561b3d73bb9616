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
})
