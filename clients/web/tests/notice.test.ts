// What a push is made into, without a service worker.

import { describe, expect, it } from 'vitest'
import { parse, shown, type Push } from '../src/offline/notice'

const SAID = {
  v: 1, do: 'show', account: 'bob@a.example', conversation: '12', sequence: 7, badge: 3, message: 'ab'.repeat(16), because: 'message', unread: 1,
  time: 5, in_group: false, from: 'alice@a.example', sender: 'Alice', kind: 'text', text: '你好',
}
const push = (change: Record<string, unknown> = {}): Push => parse(JSON.stringify({ ...SAID, ...change }))!

describe('a push', () => {
  it('is shown with who and what, in either language, and leads to its conversation', () => {
    expect(shown(push(), 'en')).toEqual({ title: 'Alice', body: '你好', tag: 'bob@a.example 12', path: '/c/12?as=bob%40a.example' })
    expect(shown(push({ unread: 3 }), 'zh').body).toBe('你好\n3 条新消息')
    expect(shown(push({ unread: 100 }), 'en').body).toBe('你好\n99+ new messages')
  })
  it('says of a group who and where, and whether it calls', () => {
    const group = { in_group: true, group: 'Garden' }
    expect(shown(push(group), 'en').title).toBe('Alice · Garden')
    expect(shown(push({ ...group, because: 'called' }), 'zh').body).toBe('提到了你：你好')
    expect(shown(push({ ...group, because: 'everybody' }), 'en').body).toBe('mentioned everybody: 你好')
  })
  it('says nothing where names and text are hidden, and names a stranger by address', () => {
    const { from: _, sender: __, kind: ___, text: ____, ...hidden } = SAID
    const quiet = parse(JSON.stringify(hidden))!
    expect(shown(quiet, 'en')).toMatchObject({ title: 'Startalk', body: 'New message' })
    expect(shown({ ...quiet, unread: 4 }, 'zh').body).toBe('4 条新消息')
    expect(shown(push({ because: 'request', sender: '', text: '' }), 'zh').body).toBe('alice@a.example 想与你联系')
    expect(shown({ ...quiet, because: 'request' }, 'en').body).toBe('Somebody new would like to write to you')
  })
  it('says of a reminder what it is about, beside what the conversation says', () => {
    const of = (more: Record<string, unknown>) => shown(push({ because: 'reminder', reminder: 7, message: undefined, sender: '', kind: 'other', ...more }), 'en')
    const due = of({ conversation: '12', text: 'call them' })
    expect(due).toMatchObject({ title: 'Reminder', body: 'call them', tag: expect.stringMatching(/ reminder 7$/), path: expect.stringMatching(/^\/c\/12\?as=/) })
    expect(due.tag).not.toBe(shown(push({ conversation: '12' }), 'en').tag)
    expect(of({ conversation: '0', text: '' })).toMatchObject({ body: 'You wanted to be reminded', path: expect.stringMatching(/^\/\?as=/) })
  })
  it('says of an invitation into a group who invites, and leads to where it is decided', () => {
    const invited = push({ conversation: '0', because: 'invitation', message: undefined, sender: '', text: '', kind: 'other', in_group: true })
    expect(shown(invited, 'zh')).toEqual({ title: 'Startalk', body: 'alice@a.example 邀请你加入一个群', tag: 'bob@a.example 0', path: '/requests?as=bob%40a.example' })
    expect(shown({ ...invited, from: '', kind: '' }, 'en').body).toBe('You are invited into a group')
  })
  it('has words where the text was left out', () => {
    expect(shown(push({ kind: 'code', text: '' }), 'zh').body).toBe('代码')
    expect(shown(push({ kind: 'code', text: 'x = 1' }), 'en').body).toBe('Code: x = 1')
    expect(shown(push({ kind: 'later', text: '' }), 'en').body).toBe('A message')
    expect(shown(push({ sender: '' }), 'en').title).toBe('alice')
  })
  it('is none if it is anything else', () => {
    for (const text of ['', 'null', '[]', '"x"', '{', JSON.stringify({ ...SAID, v: 2 }), JSON.stringify({ ...SAID, do: 'x' }), JSON.stringify({ ...SAID, conversation: '../x' }), JSON.stringify({ ...SAID, account: 'x' })])
      expect(parse(text), text).toBeUndefined()
    expect(push({ sequence: -1, badge: 'x', unread: 1.5, sender: {} })).toMatchObject({ sequence: 0, badge: undefined, unread: 0, sender: '' })
  })
})
