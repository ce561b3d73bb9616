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

const file = (n: number, type = 'image/png', name = `文件 ${n}.png`) => ({ hash: Uint8Array.from({ length: 32 }, (_, i) => (i * n) & 255), size: n * 2 ** 31, type, name })
const bytesOf = (...all: number[]) => Uint8Array.from(all)
const caption = (toContent('一张 **图**') as Extract<Said, { kind: 'text' }>).blocks
/** One of each kind besides text and code. */
const others: Said[] = [
  { kind: 'album', pictures: [{ file: file(1), width: 4000, height: 3000, blur: bytesOf(1, 2, 255), thumb: file(2), reduced: file(3) }, { file: file(4), width: 1, height: 90_000, blur: bytesOf() }], caption },
  { kind: 'album', pictures: [{ file: file(5), width: 10, height: 10, blur: bytesOf() }], caption: [] },
  { kind: 'voice', file: file(6, 'audio/webm', ''), durationMs: 61_500, waveform: bytesOf(0, 128, 255) },
  { kind: 'video', file: file(7, 'video/mp4'), durationMs: 3_600_000, width: 1920, height: 1080, poster: file(8), blur: bytesOf(9), caption },
  { kind: 'attachment', file: file(9, 'application/pdf', '报告.pdf'), caption: [] },
  { kind: 'sticker', file: file(10), width: 256, height: 256, code: ':wave:', pack: '' },
  { kind: 'location', latitude: 31.2304, longitude: -121.4737, name: '外滩', address: '' },
  { kind: 'contact', user: 'ann@a.example', displayName: 'Ann' },
  { kind: 'link', url: 'https://a.example/x', title: 'T', description: 'D', site: 'a.example', picture: { file: file(11), width: 2, height: 1, blur: bytesOf() } },
  { kind: 'transcript', title: '', lines: [{ author: 'ann@a.example', authorName: 'Ann', timeMs: 1_790_000_000_000, content: encodeContent(says[0]!) }, { author: '', authorName: '', timeMs: 0, content: bytesOf() }] },
  { kind: 'shake' },
]

test('bytes are those of the generated code, both ways', () => {
  for (const said of says) {
    const bytes = encodeContent(said)
    const read = fromBinary(ContentSchema, bytes)
    expect(toBinary(ContentSchema, read)).toEqual(bytes)
    expect(decodeContent(toBinary(ContentSchema, read))).toEqual(said)
  }
})

test('every kind is what the generated code reads, and is read as it was', () => {
  for (const said of others) {
    const bytes = encodeContent(said)
    const read = fromBinary(ContentSchema, bytes)
    expect(read.$unknown, said.kind).toBeUndefined()
    expect(read.kind.case, said.kind).toBe({ contact: 'contactCard', link: 'linkCard' }[said.kind as string] ?? said.kind)
    expect(toBinary(ContentSchema, read), said.kind).toEqual(bytes)
    expect(decodeContent(bytes), said.kind).toEqual(said)
    expect(decodeContent(encodeContent({ ...said, burnS: 30 } as Said)), said.kind).toEqual({ ...said, burnS: 30 })
  }
  expect(new Set(others.map((one) => one.kind)).size).toBe(10)
})

test('what lacks its file, or is nowhere on earth, is unknown and keeps its bytes', () => {
  const without = [
    { ...others[2]!, file: { ...file(1), hash: bytesOf(1) } } as Said, { kind: 'album', pictures: [], caption: [] } as Said,
    { kind: 'location', latitude: 91, longitude: 0, name: '', address: '' } as Said, { kind: 'location', latitude: NaN, longitude: 0, name: '', address: '' } as Said,
  ]
  for (const said of without) {
    const bytes = encodeContent(said)
    expect(decodeContent(bytes)).toMatchObject({ kind: 'unknown', bytes })
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
  const goods = [says[0]!, ...others].map(encodeContent)
  const kinds = ['text', 'code', 'system', 'unknown', ...others.map((one) => one.kind)]
  for (let i = 0; i < 12_000; i++) {
    const good = goods[i % goods.length]!
    const bytes = i % 2 ? Uint8Array.from({ length: next() % 40 }, () => next() & 255) : good.slice(0, next() % good.length).map((b) => (next() % 9 ? b : next() & 255))
    expect(kinds).toContain(decodeContent(bytes).kind)
  }
})
