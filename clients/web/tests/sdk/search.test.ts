// Searching by the SDK: what is asked and what comes back, few at a time, ended by who asked.

import { describe, expect, it } from 'vitest'
import type { FoundRow } from '../../src/sdk/api'
import { Caller, type Up } from '../../src/sdk/ports'
import { TabSdk } from '../../src/sdk/tab'
import { ScriptedNode, session, until } from './scripted'

async function online() {
  const node = new ScriptedNode()
  const { session: s } = await session(node)
  s.start()
  await until(() => s.row().link.state === 'online')
  const asked = () => node.of('search').map((f) => (f.frame.case === 'search' ? f.frame.value.query : ''))
  const answer = (at: number, query = '') => {
    const frame = node.of('search')[at]
    if (frame) node.say({ case: 'found', value: { groups: [{ conversation: 5n, name: query }] } }, frame.id)
  }
  return { node, s, asked, answer }
}

describe('a search', () => {
  it('is asked with all that it is narrowed by, and comes back as rows', async () => {
    const { node, s } = await online()
    const found = s.calls.search({ query: '汉口', sorts: ['messages'], conversation: '5', from: 'bob@b.test', kind: 'code', afterMs: 10, beforeMs: 20, limit: 7, next: Uint8Array.of(1, 2) })
    const frame = await until(() => node.of('search')[0])
    expect(frame.frame.value).toMatchObject({
      query: '汉口', people: false, groups: false, messages: true, conversation: 5n, from: 'bob@b.test', kind: 'code', afterMs: 10n, beforeMs: 20n, limit: 7,
      next: Uint8Array.of(1, 2), utcOffsetMin: 0 - new Date().getTimezoneOffset(),
    })
    node.say({ case: 'found', value: {
      people: [{ user: 'bob@b.test', displayName: '张三', ranges: [{ start: 0, length: 2 }], conversation: 0n }],
      messages: [{ conversation: 5n, sequence: 3n, author: 'bob@b.test', timeMs: 9n, text: '漢口', ranges: [{ start: 0, length: 2 }], moreBefore: true }],
      next: Uint8Array.of(3), building: true, percent: 40,
    } }, frame.id)
    expect(await found).toEqual({
      people: [{ user: 'bob@b.test', displayName: '张三', ranges: [[0, 2]], conversation: undefined }], groups: [],
      messages: [{ conversation: '5', sequence: 3, author: 'bob@b.test', time: 9, text: '漢口', ranges: [[0, 2]], moreBefore: true, moreAfter: false }],
      next: Uint8Array.of(3), building: 40,
    } satisfies FoundRow)
    s.stop()
  })

  it('that was ended while two others are on their way is never sent', async () => {
    const { s, asked, answer } = await online()
    const end = new AbortController()
    const first = s.calls.search({ query: 'a' })
    const second = s.calls.search({ query: 'ab' })
    const third = s.calls.search({ query: 'abc' }, end.signal)
    const fourth = s.calls.search({ query: 'abcd' })
    third.catch(() => undefined)
    await until(() => asked().length === 2)
    end.abort()
    answer(0, 'one')
    await expect(third).rejects.toMatchObject({ code: 'cancelled' })
    expect((await first).groups[0]?.name).toBe('one')
    await until(() => asked().length === 3)
    expect(asked()).toEqual(['a', 'ab', 'abcd'])
    answer(1)
    answer(2)
    await Promise.all([second, fourth])
    s.stop()
  })

  it('without a connection ends with that', async () => {
    const { node, s } = await online()
    node.cut()
    await until(() => s.row().link.state === 'waiting')
    await expect(s.calls.search({ query: 'a' })).rejects.toMatchObject({ code: 'offline' })
    s.stop()
  })

  it('of a tab ends at once when its signal says so, and the worker hears of it', async () => {
    const said: Up[] = []
    const sdk = new TabSdk(new Caller((up) => void said.push(structuredClone(up))), () => 'led')
    const end = new AbortController()
    const found = sdk.account('ann@a.test').search({ query: 'x' }, end.signal)
    expect(said).toEqual([{ k: 'call', id: 1, account: 'ann@a.test', name: 'search', args: [{ query: 'x' }] }])
    end.abort()
    await expect(found).rejects.toMatchObject({ code: 'cancelled' })
    expect(said[1]).toEqual({ k: 'end', id: 1 })
    await expect(sdk.account('ann@a.test').search({ query: 'y' }, end.signal)).rejects.toMatchObject({ code: 'cancelled' })
    expect(said.length).toBe(2)
  })
})
