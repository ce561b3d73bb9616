import { expect, test } from 'vitest'
import { GROUP_MS, rows, type Placed } from '../../src/app/timeline/rows'

const DAY = 86_400_000
const noon = new Date(2026, 4, 3, 12).getTime()
const one = (sequence: number, author: string, time: number, more: Partial<Placed> = {}): Placed => ({
  key: `k${sequence}`, sequence, author, time, mine: author === 'me', system: false, ...more,
})
const shape = (all: ReturnType<typeof rows<Placed>>) => all.map((row) => (row.kind === 'message' ? `${row.key}${row.first ? '<' : ''}${row.last ? '>' : ''}` : row.kind))

test('who goes on speaking within five minutes is one group', () => {
  const all = rows([one(1, 'a', noon), one(2, 'a', noon + 1000), one(3, 'a', noon + GROUP_MS + 1000), one(4, 'b', noon + GROUP_MS + 2000)])
  expect(shape(all)).toEqual(['k1<', 'k2>', 'k3<>', 'k4<>'])
})

test('a day begins between two messages that are known, and above the first only where the conversation begins', () => {
  const two = [one(1, 'a', noon), one(2, 'a', noon + DAY)]
  expect(shape(rows(two))).toEqual(['k1<>', 'day', 'k2<>'])
  expect(shape(rows(two, { top: true }))).toEqual(['top', 'day', 'k1<>', 'day', 'k2<>'])
})

test('older messages that come before take no row away and change no key of those that were there', () => {
  const later = Array.from({ length: 40 }, (_, i) => one(100 + i, i % 3 ? 'a' : 'b', noon + i * 3 * 3_600_000))
  const before = rows(later)
  const older = Array.from({ length: 40 }, (_, i) => one(60 + i, 'c', noon - (40 - i) * 3_600_000))
  const keys = rows([...older, ...later]).map((row) => row.key)
  expect(before.filter((row) => !keys.includes(row.key))).toEqual([])
})

test('the new ones begin after what was read, at the first by somebody else', () => {
  const all = [one(1, 'a', noon), one(2, 'me', noon + 1), one(3, 'a', noon + 2), one(4, 'a', noon + 3)]
  expect(shape(rows(all, { newAfter: 1 }))).toEqual(['k1<>', 'k2<>', 'new', 'k3<', 'k4>'])
  expect(shape(rows(all, { newAfter: 9 }))).not.toContain('new')
})

test('a line by the system ends a group', () => {
  const all = [one(1, 'a', noon), one(2, 'a', noon + 1, { system: true }), one(3, 'a', noon + 2)]
  expect(shape(rows(all))).toEqual(['k1<>', 'line', 'k3<>'])
})

test('keys are never twice the same', () => {
  const all = Array.from({ length: 500 }, (_, i) => one(i + 1, ['a', 'b'][i % 2]!, noon + ((i * 7919) % 97) * 3_600_000))
  const keys = rows(all, { newAfter: 250, top: true }).map((row) => row.key)
  expect(new Set(keys).size).toBe(keys.length)
})

test('lines that say the same of different people are one row, whose key is that of the last', () => {
  const line = (sequence: number, author: string) => one(sequence, author, noon + sequence, { system: true })
  const all = [line(1, 'a'), line(2, 'a'), line(3, 'b'), line(4, 'b'), one(5, 'a', noon + 5), line(6, 'b')]
  const gathers = (message: Placed) => (message.sequence === 1 ? undefined : message.author)
  const shown = rows(all, { gathers })
  expect(shown.map((row) => (row.kind === 'line' ? [row.key, row.before.map((m) => m.key)] : row.kind))).toEqual([
    ['k1', []], ['k2', []], ['k4', ['k3']], 'message', ['k6', []],
  ])
  const later = rows([one(0, 'b', noon, { system: true }), ...all.slice(2)], { gathers })
  expect(later[0]).toMatchObject({ kind: 'line', key: 'k4' })
  expect(shape(rows(all.slice(2, 4), { gathers, newAfter: 3 }))).toEqual(['line', 'new', 'line'])
})
