import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { toContent } from '../../src/app/composer/markup'
import type { Said } from '../../src/app/content'
import { decodeContent, encodeContent } from '../../src/app/wire'
import { ContentSchema } from '../../src/sdk/made/startalk/content_pb'

const says: Said[] = [
  toContent('# 标题\n> q\n- a\n  - b **c** https://a.example/\nhi @Ann', new Map([['@Ann', 'ann@a.example']])) as Said,
  toContent('a\n\nb') as Said,
  { kind: 'code', language: 'rust', source: 'x'.repeat(70_000) },
  { kind: 'code', language: '', source: '好' },
]

test('bytes are those of the generated code, both ways', () => {
  for (const said of says) {
    const bytes = encodeContent(said)
    const read = fromBinary(ContentSchema, bytes)
    expect(toBinary(ContentSchema, read)).toEqual(bytes)
    expect(decodeContent(toBinary(ContentSchema, read))).toEqual(said)
  }
})

test('lines by the system are read, with their parameters', () => {
  const bytes = toBinary(ContentSchema, create(ContentSchema, { kind: { case: 'system', value: { code: 'group-added', params: { who: 'a@b.c', __proto__x: '1' } } } }))
  expect(decodeContent(bytes)).toEqual({ kind: 'system', code: 'group-added', params: { who: 'a@b.c', __proto__x: '1' } })
})

test('a kind that is not known keeps its bytes and shows its fallback', () => {
  const known = toBinary(ContentSchema, create(ContentSchema, { fallback: '[poll]' }))
  const bytes = new Uint8Array([...known, (99 << 3) & 0x7f | 0x80, 99 >> 4, 2, 7, 7])
  const said = decodeContent(bytes)
  expect(said).toEqual({ kind: 'unknown', fallback: '[poll]', bytes })
  expect(encodeContent(said)).toEqual(bytes)
})

test('whatever bytes come, there is an answer and no error', () => {
  let seed = 42
  const next = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16
  const good = encodeContent(says[0]!)
  for (let i = 0; i < 3000; i++) {
    const bytes = i % 2 ? Uint8Array.from({ length: next() % 40 }, () => next() & 255) : good.slice(0, next() % good.length).map((b) => (next() % 9 ? b : next() & 255))
    expect(['text', 'code', 'system', 'unknown']).toContain(decodeContent(bytes).kind)
  }
})
