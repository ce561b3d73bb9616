// The rules that need neither a node nor a database.

import { create, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import type { MessageRow } from '../../src/sdk/api'
import { domainOfLink } from '../../src/sdk/enter'
import { find, readRecord, socketOf } from '../../src/sdk/find'
import { ServerFrameSchema } from '../../src/sdk/made/startalk/client_pb'
import { CharterSchema, RecordSchema, SignedCharterSchema, SignedRecordSchema } from '../../src/sdk/made/startalk/trust_pb'
import { calls, hex, later, unhex } from '../../src/sdk/rows'
import { add, gap, holding, missing, type Known } from '../../src/sdk/stretches'
import { decode, FRAME_BYTES_MAX } from '../../src/sdk/wire'
import type { World } from '../../src/sdk/world'
import { text } from './people'
import { random } from './scripted'

function row(change: Partial<MessageRow>): MessageRow {
  return {
    key: 's1', conversation: '1', sequence: 1, id: '', author: 'a@b', time: 0, sentTime: 0, content: new Uint8Array([1]), replyTo: '',
    replySequence: 0, editedTime: 0, recalled: false, reactions: [], pinned: false, own: undefined, problem: undefined, counter: 0, ...change,
  }
}

describe('of two forms of a message', () => {
  it('the recalled one is later than any edit, and stays', () => {
    const [edited, recalled] = [row({ editedTime: 9 }), row({ recalled: true })]
    expect(later(edited, recalled)).toBe(recalled)
    expect(later(recalled, edited)).toBe(recalled)
  })
  it('the higher edit is later, whichever comes first', () => {
    const [early, late] = [row({ editedTime: 3 }), row({ editedTime: 4 })]
    expect(later(early, late)).toBe(late)
    expect(later(late, early)).toBe(late)
    expect(later(undefined, early)).toBe(early)
  })
  it('a refusal stays', () => {
    const refused = row({ own: 'failed', problem: { code: 'blocked', params: {} } })
    expect(later(refused, row({ own: 'taken', editedTime: 5 }))).toMatchObject({ own: 'failed', problem: { code: 'blocked' }, editedTime: 5 })
  })
})

describe('stretches', () => {
  it.each([1, 2, 3, 4, 5])('are what a set of numbers would be (seed %i)', (seed) => {
    const dice = random(seed)
    let known: Known = []
    const model = new Set<number>()
    for (let i = 0; i < 200; i++) {
      const first = 1 + dice(300)
      const last = first + dice(12) - 1 // empty ones too
      known = add(known, first, last)
      for (let n = first; n <= last; n++) model.add(n)
      const from = 1 + dice(300)
      const to = from + dice(60)
      let absent = 0
      for (let n = from; n <= to; n++) if (!model.has(n)) absent += 1
      expect(missing(known, from, to), `seed ${seed}, step ${i}`).toBe(absent)
      expect(holding(known, from) !== undefined).toBe(model.has(from))
      for (let k = 1; k < known.length; k++) expect(known[k]![0]).toBeGreaterThan(known[k - 1]![1] + 1)
      const hole = gap(known, 1, 320)
      if (hole) for (let n = hole[0]; n <= hole[1]; n++) expect(model.has(n)).toBe(false)
    }
  })
  it('the highest gap below the head is found, and none where there is none', () => {
    expect(gap([[1, 5]], 1, 5)).toBeUndefined()
    expect(gap([[1, 5]], 1, 9)).toEqual([6, 9])
    expect(gap([[1, 5], [8, 9]], 1, 9)).toEqual([6, 7])
    expect(gap([], 4, 3)).toBeUndefined()
  })
})

describe('foreign bytes', () => {
  const frames = [
    toBinary(ServerFrameSchema, create(ServerFrameSchema, {
      replyTo: 3n, frame: { case: 'pushed', value: { conversation: 1n, what: { case: 'message', value: { sequence: 2n, author: 'a@b', content: text('x', 'a@b') } } } },
    })),
    toBinary(ServerFrameSchema, create(ServerFrameSchema, {
      frame: { case: 'syncPage', value: { conversations: [{ conversation: { conversation: 1n, peer: { user: 'a@b' } }, messages: [{ sequence: 1n }] }], last: true } },
    })),
  ]
  it.each([11, 12, 13])('never throw, whatever they are (seed %i)', (seed) => {
    const dice = random(seed)
    let read = 0
    for (let i = 0; i < 3_000; i++) {
      const bytes = Uint8Array.from(frames[i % frames.length] ?? [])
      for (let n = 0; n <= dice(4); n++) bytes[dice(bytes.length)] = dice(256)
      const cut = dice(5) === 0 ? bytes.subarray(0, dice(bytes.length)) : bytes
      if (decode(cut, FRAME_BYTES_MAX)) read += 1
      readRecord(cut)
      calls(cut, 'a@b')
    }
    // Some are still frames and some are not, or nothing was tried.
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(3_000)
  })
  it('a frame above the limit is not read', () => {
    expect(decode(new Uint8Array(FRAME_BYTES_MAX + 1), FRAME_BYTES_MAX)).toBeUndefined()
  })
})

describe('content', () => {
  it('calls me, or everybody, or nobody; a line is no message', () => {
    expect(calls(text('x', 'me@a'), 'me@a')).toEqual({ line: false, me: true })
    expect(calls(text('x', '@all'), 'me@a')).toEqual({ line: false, me: true })
    expect(calls(text('x', 'you@a'), 'me@a')).toEqual({ line: false, me: false })
  })
  it('ids are written and read', () => {
    expect([...unhex(hex(Uint8Array.of(0, 15, 255)))]).toEqual([0, 15, 255])
  })
})

describe('finding a domain', () => {
  const record = (domain: string, gone = false) => toBinary(SignedRecordSchema, create(SignedRecordSchema, {
    record: toBinary(RecordSchema, create(RecordSchema, {
      displayName: 'D', registration: 'open', endpoints: [{ host: 'node.test', port: 8443 }, { host: '::1', port: 1 }, { host: '', port: 0 }],
      charter: toBinary(SignedCharterSchema, create(SignedCharterSchema, { charter: toBinary(CharterSchema, create(CharterSchema, { domain, gone })) })),
    })),
  }))
  const world = (answers: Record<string, Uint8Array>): World => ({
    factory: indexedDB, origin: 'https://alpha.test', language: 'en',
    isKept: true,
    openWire: () => {
      throw new Error('not here')
    },
    fetch: ((url: string) => {
      const bytes = answers[new URL(url).host]
      return bytes ? Promise.resolve(new Response(bytes.slice().buffer)) : Promise.reject(new TypeError('refused'))
    }) as typeof fetch,
  })
  const run = async (asked: string, answers: Record<string, Uint8Array>) => {
    const steps: string[] = []
    const found = await find(world(answers), asked, (s) => steps.push(`${s.step} ${s.what} ${s.state}`)).catch((e: { code: string }) => e.code)
    return { found, steps }
  }

  it('a record says domain, policy and addresses; a closed domain is none', () => {
    expect(readRecord(record('alpha.test'))).toEqual({ domain: 'alpha.test', displayName: 'D', registration: 'open', hosts: ['node.test:8443', '[::1]:1'], signIn: [] })
    expect(readRecord(record('alpha.test', true))).toBeUndefined()
  })
  it('the domain of the page is asked at the page’s own origin', async () => {
    for (const asked of ['', 'alpha.test']) {
      const { found } = await run(asked, { 'alpha.test': record('alpha.test') })
      expect(found).toMatchObject({ domain: 'alpha.test', servers: ['wss://alpha.test/v1/ws'] })
    }
  })
  it('another one is asked at its name, and its record says where it is', async () => {
    const { found, steps } = await run('beta.test', { 'alpha.test': record('alpha.test'), 'beta.test': record('beta.test') })
    expect(found).toMatchObject({ servers: ['wss://beta.test/v1/ws', 'wss://node.test:8443/v1/ws', 'wss://[::1]:1/v1/ws'] })
    expect(steps.at(-1)).toBe('record beta.test done')
  })
  it('each step that fails is named', async () => {
    const nobody = await run('beta.test', { 'alpha.test': record('alpha.test') })
    expect(nobody.found).toBe('unreachable')
    expect(nobody.steps.at(-1)).toBe('wellKnown beta.test failed')
    const another = await run('beta.test', { 'beta.test': record('gamma.test') })
    expect(another.found).toBe('wrong-domain')
    expect(another.steps.at(-1)).toBe('record beta.test failed')
  })
  it('a key name is asked of nobody but the page’s origin', async () => {
    const key = 'abcdefghijklmnopqrstuvwxyz.startalk.alt'
    expect((await run(key, { 'alpha.test': record(key) })).found).toMatchObject({ domain: key, servers: ['wss://alpha.test/v1/ws'] })
    expect((await run(key, { 'alpha.test': record('alpha.test') })).found).toBe('unknown-domain')
  })
  it('a whole link names its domain, a secret alone does not', () => {
    expect(domainOfLink('https://beta.test:8443/join/abc')).toBe('beta.test:8443')
    expect(domainOfLink('abc')).toBe('')
    expect(domainOfLink('https://beta.test/other')).toBe('')
    expect(socketOf('http://127.0.0.1:1')).toBe('ws://127.0.0.1:1/v1/ws')
  })
})
