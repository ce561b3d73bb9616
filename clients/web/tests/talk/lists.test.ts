import { expect, test } from 'vitest'
import { actionsOf, silence } from '../../src/app/actions'
import { asked, completed, ranked } from '../../src/app/composer/complete'
import { emoji } from '../../src/app/composer/emoji'
import { after, shown } from '../../src/app/list/filter'
import type { Conversation, GroupFacts, Message } from '../../src/app/model'
import { parse } from '../../src/app/route.svelte'
import { shownHost } from '../../src/app/content'
import { hue, initials } from '../../src/parts/colour'

const talk = (id: string, more: Partial<Conversation> = {}): Conversation => ({
  id, name: `n${id}`, address: `a${id}@x.example`, group: undefined, toMyself: false, gone: false, head: 9, read: 9, unread: 0, mentioned: false, marked: false, request: false, blocked: false,
  mutedUntil: 0, mentionsOnly: false, pinned: false, hidden: false, time: 0, last: undefined, draft: '', ...more,
})
const group = (more: Partial<GroupFacts> = {}): GroupFacts => ({ id: 'g', home: 'x', members: 3, role: 'member', standing: 'member', notice: '', mayPost: true, mayPin: false, mayCallAll: false, mutedUntil: 0, ...more })
const message = (more: Partial<Message> = {}): Message => ({
  key: 'k', sequence: 5, author: 'me', mine: true, system: false, time: 1000, sentTime: 0, said: { kind: 'text', blocks: [{ kind: 0, level: 0, inlines: [{ text: 'words', marks: 0, link: '', mention: '' }] }] }, answers: undefined, editedTime: 0, recalled: false, expired: false,
  state: 'sent', problem: undefined, reactions: [], pinned: false, callsMe: false, ...more,
})
const windows = { editWindowMs: 100_000, recallWindowMs: 10_000 }

test('what can be done with a message', () => {
  const can = (m: Partial<Message>, c: Partial<Conversation> = {}, now = 2000) => [...actionsOf(message(m), talk('1', c), windows, now)].sort()
  expect(can({})).toEqual(['copy', 'edit', 'forward', 'keep', 'recall', 'remind', 'reply', 'select'])
  expect(can({}, {}, 20_000)).not.toContain('recall')
  expect(can({}, {}, 200_000)).not.toContain('edit')
  expect(can({ mine: false })).toEqual(['copy', 'forward', 'keep', 'remind', 'reply', 'select'])
  expect(can({ recalled: true })).toEqual([])
  expect(can({ system: true })).toEqual([])
  expect(can({ state: 'failed', sequence: 0 })).toEqual(['copy', 'discard', 'retry'])
  expect(can({ state: 'pending', sequence: 0 })).toEqual(['copy'])
  expect(can({}, { group: group({ mayPin: true }) })).toEqual(['copy', 'edit', 'forward', 'keep', 'pin', 'react', 'readers', 'recall', 'remind', 'reply', 'select'])
  expect(can({}, { group: group({ standing: 'left' }) })).toEqual(['copy', 'forward', 'keep', 'remind', 'select'])
  expect(can({ mine: false }, { blocked: true })).not.toContain('reply')
  const file = { hash: new Uint8Array(32), size: 1, type: '', name: '' }
  expect(can({ mine: false, said: { kind: 'voice', file, durationMs: 1, waveform: new Uint8Array() } })).toEqual(['forward', 'keep', 'remind', 'reply', 'save', 'select'])
  expect(can({ mine: false, said: { kind: 'voice', file, durationMs: 1, waveform: new Uint8Array(), burnS: 9 } })).toEqual(['remind', 'reply'])
})

test('why nothing can be written', () => {
  expect(silence(talk('1'), 0)).toBeUndefined()
  expect(silence(talk('1', { blocked: true }), 0)).toBe('blocked')
  expect(silence(talk('1', { group: group({ mutedUntil: 10 }) }), 5)).toBe('muted')
  expect(silence(talk('1', { group: group({ mutedUntil: 10 }) }), 15)).toBeUndefined()
  expect(silence(talk('1', { group: group({ mayPost: false }) }), 5)).toBe('administrators')
})

test('what is shown in the list; the open one stays', () => {
  const all = [talk('1'), talk('2', { unread: 3 }), talk('3', { request: true, unread: 1 }), talk('4', { group: group(), mentioned: true, unread: 1 })]
  const ids = (...args: Parameters<typeof shown> extends [unknown, ...infer R] ? R : never) => shown(all, ...args).map((one) => one.id)
  expect(ids('all')).toEqual(['1', '2', '4'])
  expect(ids('unread')).toEqual(['2', '4'])
  expect(ids('unread', '1')).toEqual(['1', '2', '4'])
  expect(ids('mentions')).toEqual(['4'])
  expect(ids('groups')).toEqual(['4'])
})

test('the next, around the end, and the next unread', () => {
  const all = [talk('1'), talk('2'), talk('3', { unread: 1 })]
  expect(after(all, '1', 1, false)?.id).toBe('2')
  expect(after(all, '3', 1, false)?.id).toBe('1')
  expect(after(all, '1', -1, false)?.id).toBe('3')
  expect(after(all, undefined, 1, false)?.id).toBe('1')
  expect(after(all, '1', 1, true)?.id).toBe('3')
  expect(after([talk('1')], '1', 1, false)).toBeUndefined()
})

test('what is asked before the caret', () => {
  expect(asked('hi @an', 6)).toEqual({ sign: '@', word: 'an', from: 3, to: 6 })
  expect(asked('你好@王', 4)).toEqual({ sign: '@', word: '王', from: 2, to: 4 })
  expect(asked(':smi', 4)?.word).toBe('smi')
  expect(asked(':笑', 2)?.word).toBe('笑')
  for (const none of ['ann@b', '10:30', ': ', ':a', 'http://x', '@a b', 'x :)']) expect(asked(none, none.length), none).toBeUndefined()
  expect(completed('hi @an', { sign: '@', word: 'an', from: 3, to: 6 }, '@Ann')).toEqual({ text: 'hi @Ann ', caret: 8 })
  expect(completed('@an there', { sign: '@', word: 'an', from: 0, to: 3 }, '@Ann')).toEqual({ text: '@Ann there', caret: 5 })
})

test('the best is first; emoji are found in both languages and are not twice there', () => {
  expect(ranked(['xann', 'lee ann', 'ann'], 'ann', (one) => [one], 9)).toEqual(['ann', 'lee ann', 'xann'])
  const first = (word: string) => ranked(emoji, word, (one) => one.names, 1)[0]?.emoji
  expect([first('thumbsup'), first('赞'), first('笑哭'), first('heart')]).toEqual(['👍', '👍', '😂', '❤️'])
  expect(new Set(emoji.map((one) => one.emoji)).size).toBe(emoji.length)
})

test('paths', () => {
  expect(parse('/')).toEqual({ at: 'list' })
  expect(parse('/c/12')).toEqual({ at: 'conversation', id: '12', details: false })
  expect(parse('/c/12/details')).toEqual({ at: 'conversation', id: '12', details: true })
  expect(parse('/settings/devices')).toEqual({ at: 'page', page: 'settings', rest: ['devices'] })
  expect(parse('/c/x')).toEqual({ at: 'page', page: 'c', rest: ['x'] })
})

test('letters for a name, and one colour for one address', () => {
  expect(['王小明', '林晓', '欧阳修文', '产品设计讨论组', 'Ann Walker', 'bob', '', 'ann.lee@x', 'Saturday hike 🥾', '👨‍👩‍👧'].map(initials)).toEqual(['王', '林', '欧', '产', 'AW', 'B', '?', 'AL', 'SH', '👨‍👩‍👧'])
  expect(hue('a@b.c')).toBe(hue('a@b.c'))
  expect(new Set(Array.from({ length: 200 }, (_, i) => hue(`u${i}@a.example`))).size).toBeGreaterThan(8)
})

test('a link says where it leads unless its words do', () => {
  const same = (link: string) => shownHost(link, link)
  expect(same('https://example.org/a')).toBe('')
  expect(same('https://例子.example/路径')).toBe('')
  // A Cyrillic а: the network's spelling is told.
  expect(same('https://p\u0430ypal.example/in')).toBe('xn--pypal-4ve.example')
  expect(same('https://xn--pypal-4ve.example/in')).toBe('')
  expect(shownHost('https://evil.example/x', 'https://bank.example')).toBe('evil.example')
  expect(shownHost('https://docs.example/x', 'the manual')).toBe('docs.example')
  expect(shownHost('mailto:ann@a.example', 'write to me')).toBe('ann@a.example')
  expect(shownHost('mailto:ann@a.example', 'ann@a.example')).toBe('')
})

test('what is marked counts as unread', () => {
  const all = [talk('1'), talk('2', { marked: true }), talk('3', { unread: 2 })]
  expect(shown(all, 'unread', '').map((one) => one.id)).toEqual(['2', '3'])
  expect(after(all, '1', 1, true)?.id).toBe('2')
})
