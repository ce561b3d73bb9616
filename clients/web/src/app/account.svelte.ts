// From what the worker tells to what the views read: the one place that knows both. One account of this
// browser. Nothing is decided here and nothing is kept: the worker does both.

import { ApiError, type AccountCalls, type AccountRow, type ConversationRow, type MessageRow, type OwnRow, type PersonRow, type Place, type Problem, type FoundRow, type LaterList, type ProfileRow, type Sdk, type SearchOrder, type Stretch, type Told } from '../sdk/api'
import type { Said, SaidOf } from './content'
import type { Answering, Conversation, ConversationId, Draft, FileAccess, Invitation, Link, Message, MessageState, Person, Quoted, Readers, Sticker, Talk, Timeline } from './model'
import { say } from '../words'
import { decodeContent, decodeSticker, encodeContent, encodeSticker } from './wire'

/** How long somebody is shown as writing after the last word of it. */
const TYPING_MS = 6000
/** How long after a failure nothing is asked for again by itself. */
const AGAIN_MS = 4000
/** Messages asked for at a time. */
const PAGE = 60
/** Members offered for completion: more are found by typing on. */
const MEMBERS_MAX = 2000
/** Conversations opened of late that are remembered. */
const OPENED_MAX = 20

type Of<K extends Told['kind']> = Extract<Told, { kind: K }>
type ToldOfAccount = Of<'conversations' | 'messages' | 'forgotten' | 'again' | 'profiles' | 'typing' | 'stickers' | 'presence' | 'invitation' | 'persons' | 'own' | 'later'>

/** What each message on the screen was made of. */
const madeOf = new WeakMap<Message, MessageRow>()
const saidOf = new WeakMap<MessageRow, Said>()
const strings = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [])
const NOTHING: Said = { kind: 'text', blocks: [] }

function said(row: MessageRow): Said {
  let known = saidOf.get(row)
  if (!known) saidOf.set(row, (known = row.content.length === 0 ? NOTHING : decodeContent(row.content)))
  return known
}

export class Account implements Talk {
  /** Until the worker has told of it, there is none. */
  row = $state.raw<AccountRow>()
  #rows = $state.raw<ReadonlyMap<ConversationId, ConversationRow>>(new Map())
  #profiles = $state.raw<ReadonlyMap<string, ProfileRow>>(new Map())
  #typing = $state.raw<Readonly<Record<ConversationId, readonly string[]>>>({})
  #presence = $state.raw<Readonly<Record<string, { readonly state: string; readonly text: string }>>>({})
  #persons = $state.raw<ReadonlyMap<string, PersonRow>>(new Map())
  /** What the account has said of itself; undefined until the node has told. */
  own = $state.raw<OwnRow>()
  #pins = $state.raw<Readonly<Record<ConversationId, readonly MessageRow[]>>>({})
  readonly #pinsRead = new Set<ConversationId>()
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #timelines = new Set<AccountTimeline>()
  invitations = $state.raw<readonly Invitation[]>([])
  opened = $state.raw<readonly string[]>([])
  /** Set by what sends files (attach/uploads.svelte.ts). */
  going = $state.raw<readonly Message[]>([])
  #looked = false
  #online = false
  /** Who wants to know that there are new ones. */
  oninvitation: (() => void) | undefined

  readonly me: string
  readonly domain: string
  readonly conversations: readonly Conversation[] = $derived.by(() => this.#sorted())
  readonly #byId: ReadonlyMap<ConversationId, Conversation> = $derived(new Map(this.conversations.map((one) => [one.id, one])))
  readonly link: Link = $derived(this.row?.link ?? { state: 'connecting' })
  readonly outbox: number = $derived(this.row?.outbox ?? 0)
  readonly listed: boolean = $derived((this.row?.synced ?? false) || this.#rows.size > 0)
  readonly editWindowMs: number = $derived(this.row?.welcome?.editWindowMs ?? 0)
  readonly endsMs = $derived(this.own?.endsMs ?? 0)
  readonly keeping: Talk['keeping'] = $derived(this.row?.welcome?.kept)
  readonly recallWindowMs: number = $derived(this.row?.welcome?.recallWindowMs ?? 0)
  readonly calls: AccountCalls
  readonly #end: () => void

  constructor(private readonly sdk: Sdk, user: string) {
    this.me = user
    this.domain = user.split('@')[1] ?? ''
    this.calls = sdk.account(user)
    sdk.setting(this.#openedSetting).then((value) => (this.opened = strings(value)), () => undefined)
    this.#end = sdk.listen((told) => {
      if (told.kind === 'accounts') this.row = told.rows.find((row) => row.user === user)
      else if (told.kind === 'account') { if (told.row.user === user) this.row = told.row }
      else if (told.kind === 'setting') { if (told.name === this.#openedSetting) this.opened = strings(told.value) }
      else if (told.kind !== 'keeping' && told.account === user) this.hear(told)
      const online = this.row?.link.state === 'online'
      // An invitation is told once, to who is connected then.
      if (online && (!this.#looked || !this.#online)) this.lookForInvitations()
      if (this.listed) this.#restoreUploads()
      if (online && !this.#online) {
        for (const timeline of this.#timelines) timeline.online()
        for (const id of this.#pinsRead) void this.#readPins(id)
      }
      this.#online = online
    })
  }
  get #openedSetting(): string {
    return `opened ${this.me}`
  }
  #restored = false
  /** Files that an earlier page has left on their way. */
  #restoreUploads(): void {
    if (this.#restored) return
    this.#restored = true
    if (localStorage.getItem('startalk.uploads')) void import('../attach/uploads.svelte').then((it) => it.uploadsOf(this).restore(), () => (this.#restored = false))
  }
  close(): void {
    this.#end()
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }

  hear(told: ToldOfAccount): void {
    switch (told.kind) {
      case 'conversations': {
        const next = new Map(told.whole ? [] : this.#rows)
        for (const row of told.rows) next.set(row.id, row)
        this.#rows = next
        if (this.invitations.length > 0) this.lookForInvitations()
        return
      }
      case 'messages':
        for (const timeline of this.#timelines) timeline.hear(told.rows)
        this.#pinsMoved(told.rows)
        for (const row of told.rows) if (told.fresh && row.author) this.#stops(row.conversation, row.author)
        return
      case 'forgotten':
        for (const timeline of this.#timelines) timeline.forget(told.conversation, told.key)
        return
      case 'again':
        for (const timeline of this.#timelines) if (told.conversation === undefined || told.conversation === timeline.id) void timeline.again()
        return
      case 'profiles': {
        const next = new Map(this.#profiles)
        for (const row of told.rows) next.set(row.user, row)
        this.#profiles = next
        return
      }
      case 'typing':
        this.#stops(told.conversation, told.user)
        if (told.typing) {
          this.#typing = { ...this.#typing, [told.conversation]: [...(this.#typing[told.conversation] ?? []), told.user] }
          this.#timers.set(`${told.conversation} ${told.user}`, setTimeout(() => this.#stops(told.conversation, told.user), TYPING_MS))
        }
        return
      case 'stickers':
        if (this.stickers) void this.readStickers().catch(() => undefined)
        return
      case 'presence':
        this.#presence = { ...this.#presence, [told.user]: { state: told.state, text: told.text } }
        return
      case 'persons':
        this.#persons = new Map(told.rows.map((row) => [row.user, row]))
        return
      case 'own':
        this.own = told.row
        return
      case 'later':
        for (const hear of this.#laterHeard) hear(told.list)
        return
      case 'invitation':
        this.lookForInvitations()
        this.oninvitation?.()
    }
  }
  #stops(conversation: ConversationId, user: string): void {
    const key = `${conversation} ${user}`
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
    const now = this.#typing[conversation]
    if (now?.includes(user)) this.#typing = { ...this.#typing, [conversation]: now.filter((one) => one !== user) }
  }

  #made = new WeakMap<ConversationRow, { names: unknown; persons: unknown; made: Conversation }>()
  #sorted(): Conversation[] {
    const names = this.#profiles
    const persons = this.#persons
    const out: Conversation[] = []
    for (const row of this.#rows.values()) {
      const known = this.#made.get(row)
      if (known?.names === names && known.persons === persons) out.push(known.made)
      else {
        const made = this.#conversation(row)
        this.#made.set(row, { names, persons, made })
        out.push(made)
      }
    }
    return out.sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.time - a.time || (a.id < b.id ? 1 : -1))
  }
  #conversation(row: ConversationRow): Conversation {
    const group = row.group
    const may = (who: string) => who === 'members' || group?.role === 'owner' || (who === 'administrators' && group?.role === 'administrator')
    const address = group ? group.group : (row.peer?.user ?? '')
    return {
      id: row.id,
      name: group ? group.name || group.group : address === this.me ? say('talk')('fileTransfer') : this.#persons.get(address)?.remark || this.#profiles.get(address)?.displayName || row.peer?.displayName || address.split('@')[0] || address,
      address,
      group: group && {
        id: group.group, home: group.home, members: group.members, role: group.role, standing: group.standing, notice: group.notice,
        mayPost: may(group.rights.post), mayPin: may(group.rights.pin), mayCallAll: may(group.rights.atAll), mutedUntil: group.mutedUntilMs,
      },
      toMyself: !group && address === this.me,
      gone: row.peer?.gone ?? false,
      head: row.head, read: row.read, unread: row.unread, mentioned: row.mentioned, marked: row.markedUnread, pinned: row.pinned, hidden: row.hiddenUntil > row.head, request: row.request, blocked: row.blocked,
      mutedUntil: row.mutedUntilMs, mentionsOnly: row.mentionsOnly, time: row.last?.time || row.time,
      last: row.last && this.message(row.last, row, undefined), draft: row.draft,
    }
  }

  readonly #laterHeard = new Set<(list: LaterList) => void>()
  later: AccountCalls['later'] = (what, ...args) => this.calls.later(what, ...args)
  hearLater(hear: (list: LaterList) => void): () => void {
    this.#laterHeard.add(hear)
    return () => this.#laterHeard.delete(hear)
  }
  messageOf(row: MessageRow): Message {
    return this.message(row, this.rowOf(row.conversation), undefined)
  }

  rowOf(id: ConversationId): ConversationRow | undefined {
    return this.#rows.get(id)
  }
  message(row: MessageRow, conversation: ConversationRow | undefined, answers: Message['answers']): Message {
    const what = said(row)
    const mine = row.author === this.me || row.own !== undefined
    const made: Message = {
      key: row.key, sequence: row.sequence, author: row.author, mine, system: what.kind === 'system', time: row.time, sentTime: row.sentTime, said: what, answers,
      editedTime: row.editedTime, recalled: row.recalled, expired: row.expired ?? false, burnt: row.burnt, burnAt: row.burnAt, played: row.played, state: mine ? stateOf(row, conversation, this.me) : 'none', problem: row.problem, reactions: row.reactions, pinned: row.pinned,
      callsMe: !mine && what.kind === 'text' && what.blocks.some((block) => block.inlines.some((one) => one.mention === this.me || one.mention === '@all')),
    }
    madeOf.set(made, row)
    return made
  }

  conversation(id: ConversationId): Conversation | undefined {
    return this.#byId.get(id)
  }
  name(user: string): string {
    if (user === this.me && this.row?.me.displayName) return this.row.me.displayName
    const remark = this.#persons.get(user)?.remark
    if (remark) return remark
    return this.ownName(user)
  }
  /** As they call themselves. */
  ownName(user: string): string {
    const known = this.#profiles.get(user)
    if (!known) this.#learn(user)
    return known?.displayName || user.split('@')[0] || user
  }
  readonly #sought = new Set<string>()
  /** Somebody of a group whose name has not come yet: asked once, and told to all views when it is there. */
  #learn(user: string): void {
    if (this.#sought.has(user) || !user.includes('@')) return
    this.#sought.add(user)
    // Not while a view is being made.
    setTimeout(() => {
      this.calls.profile(user).then(
        (row) => { this.#profiles = new Map(this.#profiles).set(user, row) },
        // Without a connection: another time. Somebody unknown stays unknown.
        (error: unknown) => { if ((error as Partial<Problem>).code === 'offline') this.#sought.delete(user) },
      )
    })
  }
  presence(user: string): string | undefined {
    return this.#presence[user]?.state
  }
  presenceText(user: string): string {
    return this.#presence[user]?.text ?? ''
  }
  get dnd(): boolean {
    return this.presence(this.me) === 'dnd'
  }
  /** What is kept about somebody. */
  kept(user: string): PersonRow {
    return this.#persons.get(user) ?? { user, remark: '', starred: false }
  }
  starred(user: string): boolean {
    return this.#persons.get(user)?.starred ?? false
  }
  get starredOnes(): readonly string[] {
    return [...this.#persons.values()].filter((one) => one.starred).map((one) => one.user)
  }
  typing(id: ConversationId): readonly string[] {
    return this.#typing[id] ?? []
  }
  timeline(id: ConversationId, at?: number): Timeline {
    const timeline = new AccountTimeline(this, id, at, () => this.#timelines.delete(timeline))
    this.#timelines.add(timeline)
    return timeline
  }

  send(id: ConversationId, what: Said, answers?: Message): void {
    // Kept in the outbox before anything else; what fails later is told as the message's state.
    const burnS = what.kind === 'shake' ? 0 : this.burning(id)
    void this.sendOnce(crypto.randomUUID(), id, burnS ? { ...what, burnS } : what, answers && this.answering(id, answers)).catch((error: unknown) => this.onproblem?.(error))
  }
  async sendOnce(ticket: string, id: ConversationId, what: Said, answers?: Answering): Promise<void> {
    await this.calls.send({ ticket, conversation: id, content: encodeContent(what), ...answers })
  }
  #burning = $state.raw<Readonly<Record<string, number>>>({})
  burning(id: ConversationId): number {
    const conversation = this.conversation(id)
    return conversation && !conversation.group && !conversation.toMyself ? (this.#burning[conversation.address] ?? 0) : 0
  }
  setBurning(id: ConversationId, seconds: number): void {
    const address = this.conversation(id)?.address
    if (address) this.#burning = { ...this.#burning, [address]: seconds }
  }
  openBurning(id: ConversationId, message: Message): Promise<void> {
    return this.calls.openBurning(id, message.sequence)
  }
  markPlayed(id: ConversationId, message: Message): void {
    // Without a connection it is said the next time that it is played.
    if (!message.played && message.sequence > 0) this.calls.markPlayed(id, [message.sequence]).catch(() => undefined)
  }
  get nodeNow(): number {
    return Date.now() + (this.row?.welcome?.aheadMs ?? 0)
  }
  stickers = $state.raw<readonly Sticker[]>()
  async readStickers(): Promise<void> {
    const rows = await this.calls.stickers()
    this.stickers = rows.flatMap(({ number, content }) => {
      const what = decodeSticker(content)
      return what ? [{ number, said: what }] : []
    })
  }
  async changeStickers(change: Parameters<Talk['changeStickers']>[0]): Promise<void> {
    if ('add' in change) await this.calls.changeStickers({ change: 'add', content: encodeSticker(change.add) })
    else if ('of' in change) await this.calls.changeStickers({ change: 'message', conversation: change.of, sequence: change.message.sequence })
    else await this.calls.changeStickers({ change: 'remove', number: change.remove })
    await this.readStickers()
  }
  get previews(): boolean {
    return this.row?.welcome?.previews ?? false
  }
  async preview(url: string): Promise<SaidOf<'link'> | undefined> {
    const [{ doorOf }, { cardOf }] = await Promise.all([import('../files/door.svelte'), import('../attach/link')])
    const answer = await doorOf(this).fetch('/files/preview', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ url }) })
    return cardOf(url, await answer.json())
  }
  answering(id: ConversationId, message: Message): Answering | undefined {
    const row = madeOf.get(message)
    return row && { replyTo: row.id, ...(this.#rows.get(id)?.group ? { replySequence: row.sequence } : {}) }
  }
  async filesIn(id: ConversationId, kinds: number, before: number): Promise<{ readonly messages: readonly Message[]; readonly whole: boolean }> {
    const { messages, whole } = await this.calls.filesIn(id, kinds, before)
    return { messages: messages.map((row) => this.message(row, this.#rows.get(id), undefined)), whole }
  }
  fileAccess(): Promise<FileAccess> {
    return this.calls.fileAccess()
  }
  setGoing(all: readonly Message[]): void {
    this.going = all
  }
  /** Of what has no promise to fail. */
  onproblem: ((error: unknown) => void) | undefined

  edit(id: ConversationId, message: Message, what: Said): Promise<void> {
    return this.calls.edit(id, message.sequence, encodeContent(what))
  }
  recall(id: ConversationId, message: Message): Promise<void> {
    return this.calls.recall(id, message.sequence)
  }
  async react(id: ConversationId, message: Message, emoji: string, remove: boolean): Promise<void> {
    await this.calls.act(id, { kind: 'react', sequence: message.sequence, emoji, remove })
  }
  async pin(id: ConversationId, message: Message, remove: boolean): Promise<void> {
    await this.calls.act(id, { kind: 'pin', sequence: message.sequence, remove })
  }
  /** What is pinned, oldest pin first; undefined until the node has said. Who reads it once hears of every change. */
  pinned(id: ConversationId): readonly Message[] | undefined {
    if (!this.#pinsRead.has(id)) {
      this.#pinsRead.add(id)
      setTimeout(() => void this.#readPins(id)) // not while a view is being made
    }
    return this.#pins[id]?.map((row) => this.message(row, this.#rows.get(id), undefined))
  }
  async #readPins(id: ConversationId): Promise<void> {
    try {
      this.#pins = { ...this.#pins, [id]: await this.calls.pins(id) }
    } catch (error) {
      // Without a connection they are read when there is one again; who is no member any more has none.
      if ((error as Partial<Problem>).code !== 'offline') this.#pins = { ...this.#pins, [id]: [] }
    }
  }
  /** A message that is pinned, or was, is another one now. */
  #pinsMoved(rows: readonly MessageRow[]): void {
    const moved = new Set<ConversationId>()
    for (const row of rows) {
      if (!this.#pinsRead.has(row.conversation)) continue
      if (row.pinned || this.#pins[row.conversation]?.some((one) => one.sequence === row.sequence)) moved.add(row.conversation)
    }
    for (const id of moved) void this.#readPins(id)
  }
  retry(_id: ConversationId, message: Message): void {
    const row = madeOf.get(message)
    if (row && row.counter > 0 && row.own !== 'taken') void this.calls.retry(row.counter).catch((error: unknown) => this.onproblem?.(error))
    // The other domain refused it: it has its place here, and goes again as a new one.
    else this.send(_id, message.said)
  }
  discard(_id: ConversationId, message: Message): void {
    const row = madeOf.get(message)
    if (row) void this.calls.discard(row.counter).catch((error: unknown) => this.onproblem?.(error))
  }
  markRead(id: ConversationId, sequence: number): void {
    // A mark that is lost is made again by the next look.
    void this.calls.markRead(id, sequence).catch(() => undefined)
  }
  markUnread(address: string, unread: boolean): void {
    const one = this.conversations.find((c) => c.address === address)
    if (one && one.marked !== unread) void this.calls.arrange(one.id, { unread }).catch((error: unknown) => this.onproblem?.(error))
  }
  setTyping(id: ConversationId, typing: boolean): void {
    if (this.link.state === 'online') void this.calls.typing(id, typing).catch(() => undefined)
  }
  draft(address: string): Promise<Draft | undefined> {
    return this.calls.draft(address)
  }
  keepDraft(address: string, draft: Draft | undefined): void {
    void this.calls.keepDraft(address, draft).catch(() => undefined)
  }
  silence(id: ConversationId, until: number, mentionsOnly: boolean): Promise<void> {
    return this.calls.silence(id, until, mentionsOnly)
  }
  arrange(id: ConversationId, change: { readonly pinned?: boolean; readonly hidden?: boolean }): Promise<void> {
    return this.calls.arrange(id, change)
  }
  block(user: string, blocked: boolean): Promise<void> {
    return this.calls.block(user, blocked)
  }
  decide(id: ConversationId, accept: boolean): Promise<void> {
    return this.calls.decide(id, accept)
  }
  open(user: string): Promise<ConversationId> {
    return this.calls.open(user)
  }
  async members(id: ConversationId): Promise<readonly Person[]> {
    const row = this.#rows.get(id)
    if (!row?.group) return row?.peer ? [{ user: row.peer.user, name: this.name(row.peer.user) }] : []
    const out: Person[] = []
    for (let from = 1; from > 0 && out.length < MEMBERS_MAX; ) {
      const page = await this.calls.members(id, from, 256, false)
      for (const one of page.members) out.push({ user: one.user, name: this.kept(one.user).remark || one.displayName || this.name(one.user) })
      from = page.next
    }
    return out
  }
  /** Of the others: who wrote it has read it. */
  async readers(id: ConversationId, message: Message): Promise<Readers> {
    const got = await this.calls.readers(id, message.sequence)
    const own = got.users.includes(message.author) ? 1 : 0
    return { count: got.count - own, of: got.of - own, users: got.users.filter((user) => user !== message.author) }
  }
  search(order: SearchOrder, signal?: AbortSignal): Promise<FoundRow> {
    return this.calls.search(order, signal)
  }
  noteOpened(address: string): void {
    if (this.opened[0] === address) return
    this.opened = [address, ...this.opened.filter((one) => one !== address)].slice(0, OPENED_MAX)
    void this.sdk.keepSetting(this.#openedSetting, [...this.opened]).catch(() => undefined)
  }
  lookForInvitations(): void {
    this.#looked = true
    void this.calls.groupInvitations().then(
      (all) => (this.invitations = all.map((one) => ({ group: one.group, name: one.name, inviter: one.inviter, time: one.timeMs }))),
      () => (this.#looked = false),
    )
  }
  reconnect(): void {
    void this.calls.reconnect().catch(() => undefined)
  }
}

/** How far an own message got: the marks of the other tell it. */
export function stateOf(row: MessageRow, conversation: ConversationRow | undefined, me: string): MessageState {
  if (row.own === 'pending' || row.own === 'waiting' || row.own === 'unconfirmed' || row.own === 'failed') return row.own
  if (row.problem) return 'failed'
  const peer = conversation?.peer
  if (!peer || peer.user === me) return 'sent'
  if (row.sequence <= peer.read) return 'read'
  return row.sequence <= peer.delivered ? 'delivered' : 'sent'
}

/** Numbered ones by their number; then those that have none, as they were written. */
export const inOrder = (a: MessageRow, b: MessageRow): number =>
  (a.sequence || Infinity) === (b.sequence || Infinity) ? a.time - b.time || (a.key < b.key ? -1 : 1) : (a.sequence || Infinity) - (b.sequence || Infinity)

class AccountTimeline implements Timeline {
  #rows = $state.raw<readonly MessageRow[]>([])
  atStart = $state(false)
  atEnd = $state(true)
  loading = $state(true)
  #first = 0
  #last = 0
  #busy = false
  #missing: Place | undefined
  #notBefore = 0
  #closed = false
  /** What was told before the first stretch came: where it belongs is known when that is here. */
  #early: MessageRow[] | undefined = []
  #quotes = $state.raw<Readonly<Record<string, Quoted | 'gone'>>>({})
  readonly #asked = new Set<string>()
  #made = new WeakMap<MessageRow, { state: MessageState; answers: Message['answers']; message: Message }>()

  readonly messages: readonly Message[] = $derived.by(() => {
    const conversation = this.talk.rowOf(this.id)
    const bySequence = new Map(this.#rows.map((row) => [row.sequence, row]))
    const byId = conversation?.group ? undefined : new Map(this.#rows.map((row) => [row.id, row]))
    const messages = this.#rows.map((row) => {
      const answers = this.#answers(row, bySequence, byId)
      const state = row.own === undefined && row.author !== this.talk.me ? 'none' : stateOf(row, conversation, this.talk.me)
      const known = this.#made.get(row)
      if (known && known.state === state && same(known.answers, answers)) return known.message
      const message = this.talk.message(row, conversation, answers)
      this.#made.set(row, { state, answers, message })
      return message
    })
    const going = this.atEnd ? this.talk.going.filter((one) => one.going?.conversation === this.id) : []
    return going.length > 0 ? [...messages, ...going] : messages
  })

  constructor(private readonly talk: Account, readonly id: ConversationId, at: number | undefined, private readonly onclose: () => void) {
    const row = talk.rowOf(id)
    // Where one stopped reading is what one wants to see first.
    const place: Place = at ? { at: 'around', sequence: at } : row && row.unread > PAGE / 2 && row.read > 0 ? { at: 'around', sequence: row.read } : { at: 'latest' }
    void this.#load(place)
  }
  close(): void {
    this.#closed = true
    this.onclose()
  }

  #answers(row: MessageRow, bySequence: ReadonlyMap<number, MessageRow>, byId: ReadonlyMap<string, MessageRow> | undefined): Message['answers'] {
    if (!row.replyTo && !row.replySequence) return undefined
    const here = row.replySequence ? bySequence.get(row.replySequence) : byId?.get(row.replyTo)
    if (here) return quoted(here)
    const key = row.replyTo || String(row.replySequence)
    const known = this.#quotes[key]
    if (known) return known
    if (!this.#asked.has(key)) {
      this.#asked.add(key)
      const by = row.replySequence ? { sequence: row.replySequence } : { id: row.replyTo }
      void this.talk.calls.message(this.id, by).then(
        (found) => (this.#quotes = { ...this.#quotes, [key]: found ? quoted(found) : 'gone' }),
        () => this.#asked.delete(key),
      )
    }
    return 'gone'
  }

  async #load(place: Place): Promise<boolean> {
    this.#busy = true
    try {
      const got = await this.talk.calls.stretch(this.id, place, PAGE)
      if (this.#closed) return false
      this.#take(got, place.at === 'before' || place.at === 'after' ? place.at : 'all')
      this.#missing = undefined
      this.loading = false
      return true
    } catch (error) {
      // Without a connection what is not kept here is asked for again when there is one; the bar says why nothing comes.
      const code = (error as Partial<Problem>).code
      if (place.at === 'latest' || place.at === 'around') this.#missing = this.#rows.length === 0 ? place : undefined
      this.#notBefore = Date.now() + AGAIN_MS
      if (code !== 'offline') {
        this.loading = false
        this.talk.onproblem?.(error)
      }
      return false
    } finally {
      this.#busy = false
      const early = this.#early
      this.#early = undefined
      if (early && early.length > 0 && !this.#closed) this.hear(early)
    }
  }
  #take(got: Stretch, how: 'before' | 'after' | 'all'): void {
    const by = new Map<string, MessageRow>()
    if (how !== 'all') for (const row of this.#rows) by.set(row.key, row)
    for (const row of got.messages) by.set(row.key, row)
    this.#rows = [...by.values()].sort(inOrder)
    if (how !== 'after') { this.atStart = got.atStart; this.#first = got.first }
    if (how !== 'before') { this.atEnd = got.atEnd; this.#last = got.last }
  }

  /** There is a connection again. */
  online(): void {
    this.#notBefore = 0
    if (this.#missing && !this.#busy) void this.#load(this.#missing)
  }
  older(): void {
    if (!this.#busy && Date.now() >= this.#notBefore && !this.atStart && this.#first > 0) void this.#load({ at: 'before', sequence: this.#first })
  }
  newer(): void {
    if (!this.#busy && Date.now() >= this.#notBefore && !this.atEnd) void this.#load({ at: 'after', sequence: this.#last })
  }
  async around(sequence: number): Promise<boolean> {
    if (this.#rows.some((row) => row.sequence === sequence)) return true
    await this.#load({ at: 'around', sequence })
    return this.#rows.some((row) => row.sequence === sequence)
  }
  async latest(): Promise<void> {
    if (!this.atEnd) await this.#load({ at: 'latest' })
  }
  /** By halves: what is not kept here is asked of the node, a few messages for each step. */
  async at(time: number): Promise<number | undefined> {
    let found: number | undefined
    let before: number | undefined
    const head = this.talk.rowOf(this.id)?.head ?? 0
    for (let [low, high] = [1, head]; low <= high; ) {
      const middle = Math.floor((low + high) / 2)
      const got = await this.talk.calls.stretch(this.id, { at: 'around', sequence: middle }, 5)
      if (this.#closed) return undefined
      // Not every number has a message.
      const one = got.messages.find((row) => row.sequence >= middle)
      if (one && one.time < time) {
        before = one.sequence
        low = one.sequence + 1
      } else {
        if (one) found = one.sequence
        high = middle - 1
      }
    }
    return found ?? before
  }
  async again(): Promise<void> {
    const middle = this.#rows[Math.floor(this.#rows.length / 2)]?.sequence
    await this.#load(this.atEnd || !middle ? { at: 'latest' } : { at: 'around', sequence: middle })
  }

  hear(rows: readonly MessageRow[]): void {
    const mine = rows.filter((row) => row.conversation === this.id)
    if (mine.length === 0) return
    if (this.#early) {
      this.#early.push(...mine)
      return
    }
    const by = new Map(this.#rows.map((row) => [row.key, row]))
    let changed = false
    for (const row of mine) {
      const inside = row.sequence === 0 ? this.atEnd : row.sequence >= this.#first && (row.sequence <= this.#last || this.atEnd)
      if (!by.has(row.key) && !inside) continue
      by.set(row.key, row)
      changed = true
      if (this.atEnd) this.#last = Math.max(this.#last, row.sequence)
    }
    if (changed) this.#rows = [...by.values()].sort(inOrder)
  }
  forget(conversation: ConversationId, key: string): void {
    if (conversation === this.id) this.#rows = this.#rows.filter((row) => row.key !== key)
  }
}

const quoted = (row: MessageRow): Quoted => ({ key: row.key, author: row.author, said: said(row), recalled: row.recalled, expired: row.expired ?? row.burnt ?? false, sequence: row.sequence })

function same(a: Message['answers'], b: Message['answers']): boolean {
  if (a === b) return true
  return typeof a === 'object' && typeof b === 'object' && a.key === b.key && a.said === b.said && a.recalled === b.recalled && a.expired === b.expired
}
