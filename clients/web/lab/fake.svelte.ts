// An account that never leaves this page: for pictures, and for looking at 100,000 messages. Seeded, so that pictures agree.

import type { Block, Inline, Said } from '../src/app/content'
import { toContent } from '../src/app/composer/markup'
import type { Conversation, Draft, GroupFacts, Link, Message, MessageState, Talk, Timeline } from '../src/app/model'

const MINUTE = 60_000
const now = Date.now()
const me = 'lin@a.example'
const people: Record<string, string> = {
  'lin@a.example': '林晓', 'ann@b.example': 'Ann Walker', 'wang@a.example': '王小明', 'zhao@c.example': '赵敏', 'ben@b.example': 'Ben Ito',
  'sofia@long-name.department.example': 'Sofía Hernández de la Cruz y Montenegro', 'chen@a.example': '陈一', 'ops@a.example': 'ops-bot', 'maya@b.example': 'Maya', 'xu@a.example': '徐文静',
}
const texts = [
  '早，昨晚的部署顺利吗？', '顺利，两个域之间的延迟在 20ms 左右，比上周好很多。', 'Good morning! The numbers look right on our side too.', '好的', '我这边看到有一台节点重启过一次，日志里写的是磁盘满了，已经清理。之后会加一个提醒，免得下次又半夜起来处理。',
  'Could you send me the **final** list before noon? I will check it against `limits.rs` and report back.', '👍', '会议改到下午三点，地点不变。', 'See https://docs.example.org/federation/overview for the details, section 3.', '> 会议改到下午三点\n收到，我晚五分钟到。',
  '这个问题我查了一下：\n1. 先确认证书没有过期\n2. 再看 `startalk peers` 里的状态\n3. 如果还不行，把两边的时间对一下', 'Agreed.', '辛苦了！', 'Thanks — that was quick.', '中午一起吃饭吗？楼下新开了一家面馆，听说不错，排队的人也不算太多。', 'The draft is ready for review. Please have a look at the second part, I am not sure that the wording is clear enough for people who read it for the first time.',
  '🎉', '```rust\nfn main() {\n    let domain = DomainName::parse("a.example")?;\n    println!("{domain}");\n}\n```', '没问题 😄', '*maybe* tomorrow, ~~today~~ is too full',
]
let seed = 7
const random = () => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed / 0x7fffffff }

const said = (text: string): Said => toContent(text) ?? { kind: 'text', blocks: [] }
const none: Omit<Message, 'key' | 'sequence' | 'author' | 'mine' | 'time' | 'said'> = {
  system: false, sentTime: 0, answers: undefined, editedTime: 0, recalled: false, state: 'none', problem: undefined, reactions: [], pinned: false, callsMe: false,
}
function message(sequence: number, author: string, time: number, what: Said, more: Partial<Message> = {}): Message {
  const mine = author === me
  return { ...none, key: `m${sequence}`, sequence, author, mine, time, said: what, state: mine ? 'read' : 'none', ...more }
}

function history(authors: string[], count: number): Message[] {
  const out: Message[] = []
  let time = now - count * 7 * MINUTE
  let author = authors[0]!
  for (let i = 1; i <= count; i++) {
    if (random() < 0.55) author = authors[Math.floor(random() * authors.length)]!
    time += random() < 0.1 ? 60 * MINUTE * random() * 8 : MINUTE * 3 * random()
    if (i === count) time = now - 2 * MINUTE
    time = Math.min(time, now - (count - i) * 30_000)
    const more: Partial<Message> = {}
    if (random() < 0.06) more.reactions = [{ emoji: '👍', count: 3, mine: random() < 0.5, users: authors }, { emoji: '🎉', count: 1, mine: false, users: [authors[0]!] }]
    if (random() < 0.04) more.editedTime = time + MINUTE
    if (random() < 0.03) more.recalled = true
    const target = out[out.length - 4]
    if (random() < 0.09 && target && !target.system) more.answers = { key: target.key, author: target.author, said: target.said, recalled: target.recalled, sequence: target.sequence }
    if (random() < 0.015) out.push(message(i, author, time, { kind: 'system', code: 'group-added', params: { who: 'maya@b.example' } }, { system: true }))
    else out.push(message(i, author, time, said(texts[Math.floor(random() * texts.length)]!), more))
  }
  return out
}

const group = (id: string, home: string, members: number, more: Partial<GroupFacts> = {}): GroupFacts => ({
  id, home, members, role: 'member', standing: 'member', notice: '周五之前请把各自的部分更新到文档里，有问题直接在群里说。', mayPost: true, mayPin: true, mayCallAll: true, mutedUntil: 0, ...more,
})

export class Fake implements Talk {
  me = me
  domain = 'a.example'
  link = $state.raw<Link>({ state: 'online' })
  outbox = 0
  editWindowMs = 48 * 3_600_000
  recallWindowMs = 2 * MINUTE
  listed = true
  conversations = $state.raw<readonly Conversation[]>([])
  all: Record<string, Message[]> = {}
  versions = $state<Record<string, number>>({})
  drafts: Record<string, Draft> = {}
  writing = $state.raw<Record<string, string[]>>({})

  constructor(count = 400) {
    const add = (id: string, name: string, address: string, messages: Message[], more: Partial<Conversation> = {}) => {
      this.all[id] = messages
      const last = messages[messages.length - 1]
      const head = last?.sequence ?? 0
      this.conversations = [...this.conversations, {
        id, name, address, group: undefined, toMyself: false, gone: false, head, read: head, unread: 0, mentioned: false, marked: false, request: false, blocked: false, mutedUntil: 0, mentionsOnly: false,
        time: last?.time ?? 0, last, draft: '', ...more,
      }]
    }
    const team = history(['wang@a.example', 'ann@b.example', me, 'zhao@c.example', 'ben@b.example'], count)
    const n = team.length
    const t = (back: number) => now - back * MINUTE
    team.push(message(n + 1, 'wang@a.example', t(9), { kind: 'text', blocks: [{ kind: 0, level: 0, inlines: [inline('@林晓', '', me), inline(' 接口文档更新了，帮忙看一下第三节。')] }] }, { callsMe: true, pinned: true, reactions: [{ emoji: '👀', count: 2, mine: true, users: [me, 'ann@b.example'] }] }))
    team.push(message(n + 2, 'ann@b.example', t(7), said('Looking at it now. One question: does the *second* number count from the first page, or from the last one that was acknowledged?')))
    team.push(message(n + 3, 'ann@b.example', t(6), said('```ts\nexport function next(cursor: Cursor): Cursor {\n  return cursor.last ? cursor : { ...cursor, at: cursor.at + 1 }\n}\n```')))
    team.push(message(n + 4, me, t(4), said('从最后确认的那一页算起。我补一句说明。'), { answers: { key: `m${n + 2}`, author: 'ann@b.example', said: team[n + 1]!.said, recalled: false, sequence: n + 2 }, state: 'delivered' }))
    team.push(message(n + 5, 'ann@b.example', t(3), said('👍')))
    team.push(message(n + 6, me, t(1), said('已经更新，麻烦再看一眼 https://docs.a.example/spec/cursor'), { state: 'delivered' }))
    add('1', '星语 · 联邦协议', 'g1', team, { group: group('g1', 'a.example', 12) })
    add('2', 'Ann Walker', 'ann@b.example', history(['ann@b.example', me], 60), { unread: 3, read: 57 })
    add('3', '王小明', 'wang@a.example', history(['wang@a.example', me], 80), { draft: '周五的会议我可能要晚到，' })
    add('4', 'Release crew', 'g4', history(['ben@b.example', 'maya@b.example', me], 90), { group: group('g4', 'b.example', 128), unread: 120, read: 0, mentioned: true })
    add('5', '产品设计讨论组（含外部顾问与合作方，名称特别长的一个群）', 'g5', history(['xu@a.example', me, 'chen@a.example'], 40), { group: group('g5', 'a.example', 36), unread: 8, read: 32, mutedUntil: now + 1e12 })
    add('6', people['sofia@long-name.department.example']!, 'sofia@long-name.department.example', history(['sofia@long-name.department.example', me], 30))
    add('7', 'ops-bot', 'ops@a.example', history(['ops@a.example'], 20), { unread: 1, read: 19 })
    const failed = [...history(['zhao@c.example', me], 30), message(0, me, now - 30_000, said('晚上的资料我发你邮箱了'), { key: 'p1', state: 'failed', problem: { code: 'domain-denied', params: { domain: 'c.example' } } }), message(0, me, now - 10_000, said('收到回复一下'), { key: 'p2', state: 'pending' })]
    add('8', '赵敏', 'zhao@c.example', failed, { time: now - 10_000 * 60 })
    add('9', '我的笔记', me, [message(1, me, now - 86_400_000 * 3, said('买咖啡豆'))], { toMyself: true })
    add('10', '陈一', 'chen@a.example', history(['chen@a.example', me], 20), { blocked: true })
    add('11', 'Stranger', 'who@far.example', [message(1, 'who@far.example', now - 3_600_000, said('你好，我是上周会议上认识的李工。'))], { request: true, unread: 1, read: 0 })
    for (let i = 12; i < 40; i++) add(String(i), `Project ${i}`, `g${i}`, history(['ben@b.example', me], 6), { group: group(`g${i}`, 'b.example', i) })
    for (const one of this.conversations) this.versions[one.id] = 0
    this.writing = { '2': ['ann@b.example'] }
  }
  conversation(id: string) { return this.conversations.find((one) => one.id === id) }
  name(user: string) { return people[user] ?? user.split('@')[0] ?? user }
  presence(user: string) { return ({ 'ann@b.example': 'online', 'wang@a.example': 'away', 'zhao@c.example': 'busy' } as Record<string, string>)[user] }
  typing(id: string) { return this.writing[id] ?? [] }
  timeline(id: string): Timeline { return new FakeTimeline(this, id) }
  #touch(id: string, messages: Message[]) {
    this.all[id] = messages
    this.versions = { ...this.versions, [id]: (this.versions[id] ?? 0) + 1 }
    const last = messages[messages.length - 1]
    this.conversations = this.conversations.map((one) => (one.id === id ? { ...one, last, head: Math.max(one.head, last?.sequence ?? 0), time: last?.time ?? one.time } : one))
  }
  #change(id: string, of: Message, more: Partial<Message>) { this.#touch(id, this.all[id]!.map((one) => (one.key === of.key ? { ...one, ...more } : one))) }
  #n = 0
  send(id: string, what: Said, answers?: Message) {
    const key = `s${++this.#n}`
    const sequence = Math.max(...this.all[id]!.map((one) => one.sequence)) + 1
    this.#touch(id, [...this.all[id]!, message(0, me, Date.now(), what, { key, state: 'pending', answers: answers && { key: answers.key, author: answers.author, said: answers.said, recalled: false, sequence: answers.sequence } })])
    const to = (state: MessageState) => this.#touch(id, this.all[id]!.map((one) => (one.key === key ? { ...one, state, sequence } : one)))
    setTimeout(() => to('sent'), 150)
    setTimeout(() => to('delivered'), 700)
  }
  hear(id: string, author: string, text: string) {
    const sequence = Math.max(...this.all[id]!.map((one) => one.sequence)) + 1
    this.#touch(id, [...this.all[id]!, message(sequence, author, Date.now(), said(text))])
    this.conversations = this.conversations.map((one) => (one.id === id ? { ...one, unread: one.unread + 1 } : one))
  }
  async edit(id: string, of: Message, what: Said) { this.#change(id, of, { said: what, editedTime: Date.now() }) }
  async recall(id: string, of: Message) { this.#change(id, of, { recalled: true }) }
  async react(id: string, of: Message, emoji: string, remove: boolean) {
    const others = of.reactions.filter((one) => one.emoji !== emoji)
    const same = of.reactions.find((one) => one.emoji === emoji)
    const count = (same?.count ?? 0) + (remove ? -1 : 1)
    this.#change(id, of, { reactions: count > 0 ? [...others, { emoji, count, mine: !remove, users: [me] }] : others })
  }
  async pin(id: string, of: Message, remove: boolean) { this.#change(id, of, { pinned: !remove }) }
  pinned(id: string) { void this.versions[id]; return this.all[id]!.filter((one) => one.pinned) }
  retry(id: string, of: Message) { this.#change(id, of, { state: 'pending', problem: undefined }) }
  discard(id: string, of: Message) { this.#touch(id, this.all[id]!.filter((one) => one.key !== of.key)) }
  markUnread() {}
  markRead(id: string, sequence: number) {
    this.conversations = this.conversations.map((one) => (one.id === id ? { ...one, read: Math.max(one.read, sequence), unread: Math.max(0, one.head - Math.max(one.read, sequence)), mentioned: false } : one))
  }
  setTyping() {}
  async draft(id: string) { return this.drafts[id] }
  keepDraft(id: string, draft: Draft | undefined) { if (draft) this.drafts[id] = draft; else delete this.drafts[id] }
  async silence(id: string, until: number, mentionsOnly: boolean) { this.conversations = this.conversations.map((one) => (one.id === id ? { ...one, mutedUntil: until, mentionsOnly } : one)) }
  async block(user: string, blocked: boolean) { this.conversations = this.conversations.map((one) => (one.address === user ? { ...one, blocked } : one)) }
  async decide(id: string, accept: boolean) { this.conversations = accept ? this.conversations.map((one) => (one.id === id ? { ...one, request: false } : one)) : this.conversations.filter((one) => one.id !== id) }
  async open(user: string) { return this.conversations.find((one) => one.address === user)?.id ?? '1' }
  async members() { return Object.entries(people).map(([user, name]) => ({ user, name })) }
  async readers() { return { count: 3, of: 11, users: ['ann@b.example', 'wang@a.example', 'zhao@c.example'] } }
  opened = ['ann@b.example', 'g4']
  noteOpened() {}
  async search() { return { people: [], groups: [], messages: [], next: undefined, building: undefined } }
  invitations = []
  lookForInvitations() {}
  reconnect() { this.link = { state: 'online' } }
}
const inline = (text: string, link = '', mention = ''): Inline => ({ text, marks: 0, link, mention })
export type { Block }

class FakeTimeline implements Timeline {
  #from = $state(0)
  #loading = $state(false)
  loading = false
  atEnd = true
  constructor(private talk: Fake, private id: string) { this.#from = Math.max(0, talk.all[id]!.length - 80) }
  get messages() { void this.talk.versions[this.id]; return this.talk.all[this.id]!.slice(this.#from) }
  get atStart() { return this.#from === 0 }
  older() {
    if (this.#loading || this.#from === 0) return
    this.#loading = true
    setTimeout(() => { this.#from = Math.max(0, this.#from - 100); this.#loading = false }, 20)
  }
  newer() {}
  async around(sequence: number) { const at = this.talk.all[this.id]!.findIndex((one) => one.sequence === sequence); if (at < 0) return false; if (at < this.#from) this.#from = Math.max(0, at - 50); return true }
  async latest() {}
  async at() { return this.messages[0]?.sequence }
  close() {}
}
