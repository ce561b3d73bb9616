import { expect, test } from 'vitest'
import type { Conversation, Found } from '../../src/app/model'
import { dayOf, orderOf, writtenDay } from '../../src/find/asking'
import { hits, parts, places } from '../../src/find/marks'
import { joined, known, recentFirst } from '../../src/find/names'
import { Called } from '../../src/app/composer/called'

const talk = (id: string, name: string, more: Partial<Conversation> = {}): Conversation => ({
  id, name, address: `${id}@x.example`, group: undefined, toMyself: false, gone: false, head: 9, read: 9, unread: 0, mentioned: false, marked: false, request: false, blocked: false,
  mutedUntil: 0, mentionsOnly: false, pinned: false, hidden: false, time: 0, last: undefined, draft: '', ...more,
})
const nothing: Found = { people: [], groups: [], messages: [], next: undefined, building: undefined }

test('what was found is marked by characters, not by units', () => {
  const marked = (text: string, ranges: [number, number][]) => parts(text, ranges).map((one) => (one.hit ? `[${one.text}]` : one.text)).join('')
  expect(marked('😀😀ab', [[1, 2]])).toBe('😀[😀a]b')
  expect(marked('abc', [])).toBe('abc')
  expect(marked('abc', [[1, 9], [0, 1]])).toBe('[a][bc]')
  expect(marked('abc', [[1, 1], [1, 1], [7, 2]])).toBe('a[b]c')
  expect(hits('漢口 and 漢口', [[0, 2], [7, 2]])).toEqual(['漢口'])
  expect(places('Ann WALKER', 'walk an')).toEqual([[4, 4], [0, 2]])
})

test('what is asked of the node', () => {
  expect(orderOf(' ', 'all', {})).toBeUndefined()
  expect(orderOf(' 张 ', 'all', {})).toEqual({ query: '张', limit: 6 })
  expect(orderOf('张', 'people', {})).toMatchObject({ sorts: ['people'] })
  // Filters are about messages; by a conversation alone nothing is searched.
  expect(orderOf('', 'messages', { inside: { id: '5', name: '' } })).toBeUndefined()
  expect(orderOf('', 'messages', { from: { user: 'ann@a', name: 'Ann' } })).toMatchObject({ query: '', from: 'ann@a', sorts: ['messages'] })
  expect(dayOf(writtenDay(Date.now()), 1)).toBeGreaterThan(Date.now())
  expect(dayOf('nonsense')).toBeUndefined()
})

test('opened of late comes first, and what is known here stays before what the node adds', () => {
  const all = [talk('1', 'Anna'), talk('2', 'Ann'), talk('3', 'Zeng Ann'), talk('4', 'Ann', { request: true })]
  expect(recentFirst(all, ['3@x.example']).map((one) => one.id)).toEqual(['3', '1', '2'])
  const here = known(recentFirst(all, ['3@x.example', '1@x.example']), 'ann')
  expect(here.map((one) => one.conversation)).toEqual(['2', '1', '3'])
  const found: Found = { ...nothing, people: [
    { user: 'far@y.example', displayName: '安', ranges: [[0, 1]], conversation: undefined }, { user: '1@x.example', displayName: 'Anna', ranges: [], conversation: '1' },
  ] }
  expect(joined(here, found, all, 'ann').map((one) => one.address)).toEqual(['2@x.example', '1@x.example', '3@x.example', 'far@y.example'])
})

test('who is called is asked once for each word, and what was found for less stays until there is more', async () => {
  const asked: string[] = []
  let answer: (found: Found) => void = () => undefined
  const called = new Called((order) => { asked.push(order.query); return new Promise((resolve) => (answer = resolve)) }, '5')
  const person = (user: string): Found => ({ ...nothing, people: [{ user, displayName: '', ranges: [], conversation: undefined }] })
  let came = 0
  const next = () => new Promise<void>((resolve) => { const before = came; const look = () => (came > before ? resolve() : setTimeout(look, 1)); look() })
  const more = () => void (came += 1)
  const sent = (n: number) => new Promise<void>((resolve) => { const look = () => (asked.length === n ? resolve() : setTimeout(look, 1)); look() })
  expect(called.of('z', more)).toEqual([])
  expect(called.of('zs', more)).toEqual([]) // the first was not sent yet, and never is
  await sent(1)
  expect(called.waits('zs')).toBe(true)
  const heard = next()
  answer(person('zhang@a'))
  await heard
  expect(asked).toEqual(['zs'])
  expect(called.of('zs', more)).toEqual([{ user: 'zhang@a', name: 'zhang' }])
  expect(called.of('zsf', more).length).toBe(1) // until the node has said
  expect(called.waits('zsf')).toBe(true)
  expect(called.of('li', more)).toEqual([]) // other letters: nothing of it stays
  called.close()
})
