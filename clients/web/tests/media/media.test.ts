import { expect, test } from 'vitest'
import type { Chosen } from '../../src/attach/look'
import { described, saidOf, standIn, type Order } from '../../src/attach/orders'
import { ALBUM_MAX, planned } from '../../src/attach/plan'
import type { Said } from '../../src/app/content'
import type { Message } from '../../src/app/model'
import { boxOf, MEDIA_HEIGHT, MEDIA_WIDTH, mosaic, rowProportion } from '../../src/app/timeline/kinds.svelte'
import { merged } from '../../src/app/transcript'
import { decodeContent, encodeContent } from '../../src/app/wire'
import { fromWords, inWords } from '../../src/kinds/earth'
import { inLines } from '../../src/kinds/lines'
import { sortOf } from '../../src/kinds/sort'
import { bars, waveformOf, WAVEFORM_MAX } from '../../src/kinds/waveform'
import { FITS, fitted, SCALE_MAX, within, zoomed } from '../../src/viewer/zoom'

const hash = (n: number) => new Uint8Array(32).fill(n)
const text = (words: string): Said => ({ kind: 'text', blocks: [{ kind: 0, level: 0, inlines: [{ text: words, marks: 0, link: '', mention: '' }] }] })

test('a mosaic has every picture once and in order, in rows that are neither towers nor slits', () => {
  for (let n = 1; n <= 30; n++)
    for (const proportion of [0.5, 1, 1.6, 3, NaN]) {
      const rows = mosaic(Array.from({ length: n }, () => proportion))
      expect(rows.flat()).toEqual(Array.from({ length: n }, (_, i) => i))
      expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(5)
      const sums = rows.map((row) => rowProportion(row, Array.from({ length: n }, () => proportion)))
      if (n > 3) { expect(Math.min(...sums), `${n} of ${proportion}`).toBeGreaterThan(1); expect(Math.max(...sums)).toBeLessThan(5) }
    }
  expect(mosaic([1.33, 0.6, 3]).map((row) => row.length)).toEqual([2, 1])
  expect(mosaic([1, 1])).toEqual([[0, 1]])
})

test('a picture keeps its proportions, and is neither larger than its place nor too small to hit', () => {
  expect(boxOf(4000, 3000)).toEqual({ width: MEDIA_WIDTH, height: 270 })
  expect(boxOf(3000, 4000).height).toBe(MEDIA_HEIGHT)
  expect(boxOf(10, 10)).toEqual({ width: 120, height: 120 })
  expect(boxOf(100_000, 10).height).toBe(120)
})

test('pictures go together, all else one by one, in order; words with the first', () => {
  const one = (id: string, sort: Chosen['sort']): Chosen => ({ id, sort, file: new File(['x'], id), url: '', width: 1, height: 1, durationMs: 5, poster: sort === 'video' ? new Blob(['p']) : undefined })
  const all = [one('a', 'picture'), one('b', 'picture'), one('c', 'file'), one('d', 'picture'), one('e', 'video')]
  const words = (text('hi') as Extract<Said, { kind: 'text' }>).blocks
  const plan = planned(all, { asFiles: false, original: false, caption: words })
  expect(plan.map((w) => [w.kind, w.parts.map((p) => `${p.name} ${p.purpose}`), w.caption?.length ?? 0])).toEqual([
    ['album', ['a reduced', 'b reduced'], 1], ['attachment', ['c file'], 0], ['album', ['d reduced'], 0], ['video', ['e video', 'poster.jpg poster'], 0],
  ])
  expect(planned(all, { asFiles: true, original: true, caption: [] }).map((w) => w.kind)).toEqual(Array(5).fill('attachment'))
  const many = Array.from({ length: ALBUM_MAX + 1 }, (_, i) => one(String(i), 'picture'))
  expect(planned(many, { asFiles: false, original: true, caption: [] }).map((w) => w.parts.length)).toEqual([ALBUM_MAX, 1])
})

test('what the node says of a file becomes what the message says; until then something stands for it', () => {
  const order: Order = {
    id: '00000000-1111-2222-3333-444444444444', account: 'a@x.example', conversation: '1', address: 'b@x.example', time: 1, kind: 'album', caption: [], durationMs: 0, waveform: new Uint8Array(),
    parts: [{ blob: new Blob(['abc']), name: 'a.png', purpose: 'original', width: 4, height: 3 }],
  }
  const before = saidOf(order)
  expect(before).toMatchObject({ kind: 'album', pictures: [{ width: 4, height: 3, file: { hash: standIn(order.id, 0), size: 3 } }] })
  expect(standIn(order.id, 0)).not.toEqual(standIn(order.id, 1))
  const told = { state: 'ready', file: { hash: 'ab'.repeat(32), size: 9, type: 'image/png', name: 'a.png' }, picture: { width: 40, height: 30, blur: btoa('\x01\x02'), thumb: { hash: 'cd'.repeat(32), size: 2, type: 'image/webp', name: 'a.png' }, reduced: null } }
  const after = saidOf({ ...order, parts: [{ ...order.parts[0]!, described: described(told, 'a.png') }] })
  expect(decodeContent(encodeContent(after))).toEqual({
    kind: 'album', caption: [],
    pictures: [{ file: { hash: hash(0xab), size: 9, type: 'image/png', name: 'a.png' }, width: 40, height: 30, blur: Uint8Array.of(1, 2), thumb: { hash: hash(0xcd), size: 2, type: 'image/webp', name: 'a.png' } }],
  })
  for (const bad of [{}, { file: { hash: 'ab' } }, { file: null }]) expect(described(bad, 'x')).toBeUndefined()
})

test('loudness is sent in at most as many numbers as may be, and drawn in any number', () => {
  const levels = Array.from({ length: 6000 }, (_, i) => (i === 3000 ? 2 : 0.2))
  const wave = waveformOf(levels)
  expect(wave.length).toBeLessThanOrEqual(WAVEFORM_MAX)
  expect(Math.max(...wave)).toBe(255)
  expect(waveformOf([0.5])).toEqual(Uint8Array.of(128))
  expect(bars(wave, 40)).toHaveLength(40)
  expect(bars(new Uint8Array(), 7)).toHaveLength(7)
  expect(Math.max(...bars(wave, 40))).toBe(1)
})

test('places are read as people write them', () => {
  expect(fromWords('31.2304, 121.4737')).toEqual({ latitude: 31.2304, longitude: 121.4737 })
  expect(fromWords('３１.５，１２１.５')).toEqual({ latitude: 31.5, longitude: 121.5 })
  expect(fromWords('33.8568° S, 151.2153° E')).toEqual({ latitude: -33.8568, longitude: 151.2153 })
  expect(fromWords('geo:48.2,16.37')).toEqual({ latitude: 48.2, longitude: 16.37 })
  expect(fromWords('https://www.openstreetmap.org/#map=16/48.2/-16.37')).toEqual({ latitude: 48.2, longitude: -16.37 })
  expect(fromWords('https://www.openstreetmap.org/?mlat=48.2&mlon=16.37#map=16/48.2/16.37')).toEqual({ latitude: 48.2, longitude: 16.37 })
  for (const none of ['', 'here', '91, 0', '0, 181', '12']) expect(fromWords(none), none).toBeUndefined()
  expect(inWords(-33.8568, 151.2153)).toBe('33.85680° S, 151.21530° E')
})

test('the sign of a file is made of what it is', () => {
  expect(sortOf({ type: 'application/pdf', name: 'x' })).toEqual({ key: 'pdf', words: '···' })
  expect(sortOf({ type: 'application/octet-stream', name: '报告.XLSX' })).toEqual({ key: 'sheet', words: 'XLSX' })
  expect(sortOf({ type: 'image/png', name: 'a.pdf' }).key).toBe('image')
  expect(sortOf({ type: '', name: 'a.averylongend' })).toEqual({ key: 'other', words: '···' })
})

test('code in colours is cut into lines without losing any of it', () => {
  const lines = inLines(['a\n', { sort: 'comment', parts: ['b\nc', { sort: 'word', parts: ['d\n'] }] }, 'e'])
  const plain = (tokens: readonly unknown[]): string => tokens.map((one) => (typeof one === 'string' ? one : plain((one as { parts: unknown[] }).parts))).join('')
  expect(lines.map(plain)).toEqual(['a', 'b', 'cd', 'e'])
  expect(lines[2]).toEqual([{ sort: 'comment', parts: ['c', { sort: 'word', parts: ['d'] }] }])
})

test('what is made larger stays under the finger, and in its frame', () => {
  const frame = { width: 400, height: 300 }
  const fits = fitted(800, 600, frame)
  expect(fits).toEqual({ width: 400, height: 300 })
  expect(fitted(10, 10, frame)).toEqual({ width: 10, height: 10 })
  const lie = zoomed(FITS, 2, 100, 50)
  expect(lie).toEqual({ scale: 2, x: -100, y: -50 })
  expect(within({ scale: 2, x: 999, y: -999 }, frame, fits)).toEqual({ scale: 2, x: 200, y: -150 })
  expect(zoomed(FITS, 1e9, 0, 0).scale).toBe(SCALE_MAX)
  expect(within(zoomed(lie, 0.01, 0, 0), frame, fits)).toEqual(FITS)
})

test('messages become as few records as hold them, each within what a message may be', () => {
  const message = (n: number, said: Said): Message => ({
    key: String(n), sequence: n, author: 'a@x.example', mine: true, system: false, time: n, sentTime: 0, said, answers: undefined, editedTime: 0, recalled: false, expired: false, state: 'sent', problem: undefined,
    reactions: [], pinned: false, callsMe: false,
  })
  const few = merged([message(1, text('one')), message(2, { kind: 'shake' })], 'T', () => 'Ann')
  expect(few).toHaveLength(1)
  expect(few[0]).toMatchObject({ kind: 'transcript', title: 'T', lines: [{ author: 'a@x.example', authorName: 'Ann', timeMs: 1 }, { timeMs: 2 }] })
  const many = merged(Array.from({ length: 250 }, (_, i) => message(i + 1, text('x'.repeat(i % 50 === 0 ? 40_000 : 10)))), '记录'.repeat(200), () => 'Ann')
  expect(many.flatMap((one) => (one.kind === 'transcript' ? one.lines : [])).map((line) => line.timeMs)).toEqual(Array.from({ length: 250 }, (_, i) => i + 1))
  for (const one of many) {
    expect(encodeContent(one).length).toBeLessThan(128 * 1024)
    expect(one.kind === 'transcript' && one.lines.length).toBeLessThanOrEqual(100)
    expect(new TextEncoder().encode(one.kind === 'transcript' ? one.title : '').length).toBeLessThanOrEqual(512)
  }
})
