// What the account knows of its conversations: overviews, messages, which numbers were looked at, what is unread.
//
// Everything that is heard goes through here into the store and, as rows, to who listens. A message is named by its
// conversation and sequence; of two forms the later one is kept (rows.ts). Heads and marks only grow.

import type { ConversationRow, Draft, KeptRow, MessageRow, OwnRow, PersonRow, ProfileRow, Told } from './api'
import type * as pb from './made/startalk/client_pb'
import { calls, emptied, goes, groupRow, later, messageRow, peerRow } from './rows'
import type { Kept, Store } from './store'
import { add, gap, holding, missing, top, type Known } from './stretches'

/** Copies that are looked at together when they go. */
const GONE_STEP = 500
/** Unread messages beyond this are not counted one by one. */
const COUNT_MAX = 500

function fresh(id: string): Kept {
  return {
    id, peer: undefined, group: undefined, head: 0, delivered: 0, read: 0, request: false, blocked: false, time: 0,
    mutedUntilMs: 0, mentionsOnly: false, pinned: false, hiddenUntil: 0, markedUnread: false,
    unread: 0, mentioned: false, last: undefined, draft: '', known: [], refused: false,
  }
}

export function shown({ known: _, refused: __, gone: ___, ...row }: Kept): ConversationRow {
  return row
}

/** Whom a conversation is with, or which group it is: that stays, while its number may mean another after a restore. */
const addressOf = (c: Pick<ConversationRow, 'peer' | 'group'>): string => c.group?.group ?? c.peer?.user ?? ''

export class Book {
  me: string
  readonly #store: Store
  readonly #tell: (told: Told) => void
  readonly #all = new Map<string, Kept>()
  readonly #profiles = new Map<string, ProfileRow>()
  /** By address. */
  #drafts = new Map<string, Draft>()
  /** What the account keeps about people. */
  #persons = new Map<string, PersonRow>()
  #own: OwnRow | undefined
  readonly #touched = new Set<string>()
  readonly #recount = new Set<string>()
  readonly #heard = new Map<string, MessageRow>()
  readonly #changed = new Map<string, MessageRow>()
  #flushing: Promise<void> | undefined

  constructor(store: Store, me: string, tell: (told: Told) => void) {
    this.#store = store
    this.me = me
    this.#tell = tell
  }

  async load(): Promise<void> {
    for (const kept of await this.#store.conversations()) this.#all.set(kept.id, { ...fresh(kept.id), ...kept })
    for (const profile of await this.#store.profiles()) this.#profiles.set(profile.user, profile)
    this.#drafts = await this.#store.drafts()
    this.#persons = (await this.#store.meta<Map<string, PersonRow>>('persons')) ?? new Map()
    this.#own = await this.#store.meta<OwnRow>('own')
    // Before nodes told who was refused, it was kept here.
    const declined = await this.#store.meta<Set<string>>('declined')
    for (const kept of declined ? [...this.#all.values()] : []) if (declined?.has(addressOf(kept))) this.update(kept.id, () => ({ refused: true }))
    if (declined) this.#store.remove('meta', 'declined')
  }

  get(id: string): Kept | undefined {
    return this.#all.get(id)
  }

  all(): ConversationRow[] {
    return [...this.#all.values()].filter((c) => !c.refused).map(shown)
  }

  persons(): PersonRow[] {
    return [...this.#persons.values()]
  }

  /** What is kept about somebody now; nothing of it is nothing. */
  takePersons(rows: readonly PersonRow[]): void {
    if (rows.length === 0) return
    for (const row of rows) {
      if (row.remark === '' && !row.starred) this.#persons.delete(row.user)
      else this.#persons.set(row.user, row)
    }
    this.#store.put('meta', new Map(this.#persons), 'persons')
    this.#tell({ kind: 'persons', account: this.me, rows: this.persons(), whole: true })
  }

  get own(): OwnRow | undefined {
    return this.#own
  }

  takeOwn(row: OwnRow): void {
    this.#own = row
    this.#store.put('meta', row, 'own')
    this.#tell({ kind: 'own', account: this.me, row })
  }

  profiles(): ProfileRow[] {
    return [...this.#profiles.values()]
  }

  profile(user: string): ProfileRow | undefined {
    return this.#profiles.get(user)
  }

  with(user: string, group: string): Kept | undefined {
    for (const c of this.#all.values()) {
      if (group !== '' ? c.group?.group === group && c.group.standing !== 'renewed' : user !== '' && c.peer?.user === user) return c
    }
    return undefined
  }

  unread(): number {
    const now = Date.now()
    let count = 0
    for (const c of this.#all.values()) if (c.mutedUntilMs <= now && !c.request && !c.refused) count += c.unread
    return count
  }

  draft(address: string): Draft | undefined {
    return this.#drafts.get(address)
  }

  keepDraft(address: string, draft: Draft | undefined): void {
    if (draft) {
      this.#drafts.set(address, draft)
      this.#store.put('drafts', draft, address)
    } else {
      this.#drafts.delete(address)
      this.#store.remove('drafts', address)
    }
    for (const c of this.#all.values()) if (addressOf(c) === address) this.update(c.id, () => ({ draft: draft?.typed ?? '' }))
  }

  /**
   * The node's history is another one: what was heard is heard again. The outbox and what is typed stay, but for the
   * messages that a draft answers or edits: their numbers may mean others now.
   */
  clear(): void {
    this.#all.clear()
    this.#heard.clear()
    this.#changed.clear()
    this.#touched.clear()
    this.#recount.clear()
    for (const [address, { typed, mentions }] of this.#drafts) this.keepDraft(address, { typed, mentions })
    this.#persons.clear()
    this.#store.remove('meta', 'persons')
    for (const room of ['conversations', 'messages', 'profiles'] as const) this.#store.clear(room)
    this.#tell({ kind: 'again', account: this.me, conversation: undefined })
  }

  /** Nothing of it is kept here any more, what is typed neither. */
  forget(): void {
    this.clear()
    this.#profiles.clear()
    this.#drafts.clear()
    this.#store.clear('drafts')
    this.#own = undefined
    this.#store.remove('meta', 'own')
    this.#tell({ kind: 'persons', account: this.me, rows: [], whole: true })
    this.tellAll()
  }

  /** Tells the whole list: a conversation that is not in it is not there any more. */
  tellAll(): void {
    this.#tell({ kind: 'conversations', account: this.me, rows: this.all(), whole: true })
  }

  /** Below it there is nothing to ask for. */
  floor(id: string): number {
    return Math.max(1, this.#all.get(id)?.group?.first ?? 1)
  }

  update(id: string, change: (c: Kept) => Partial<Kept>): Kept {
    const old = this.#all.get(id) ?? fresh(id)
    const next = { ...old, ...change(old) }
    this.#all.set(id, next)
    this.#touched.add(id)
    this.#later()
    return next
  }

  /** A conversation as the node describes it; what only grows does not go back. */
  overview(c: pb.Conversation): Kept {
    const id = String(c.conversation)
    const before = this.#all.get(id)
    const next = this.update(id, (old) => {
      const peer = c.peer ? peerRow(c.peer) : undefined
      return {
        peer: peer && old.peer ? { ...peer, delivered: Math.max(peer.delivered, old.peer.delivered), read: Math.max(peer.read, old.peer.read) } : peer,
        group: c.group ? groupRow(c.group) : undefined,
        head: Math.max(old.head, Number(c.head)),
        delivered: Math.max(old.delivered, Number(c.delivered)),
        read: Math.max(old.read, Number(c.read)),
        request: c.request,
        blocked: c.blocked,
        time: Math.max(old.time, Number(c.timeMs)),
        mutedUntilMs: Number(c.mutedUntilMs),
        mentionsOnly: c.mentionsOnly,
        pinned: c.pinned,
        hiddenUntil: Number(c.hiddenUntil),
        markedUnread: c.markedUnread,
        refused: c.refused,
        draft: this.#drafts.get(c.group?.group ?? c.peer?.user ?? '')?.typed ?? '',
      }
    })
    // What is not told any more is only seen to be gone in the whole.
    if (next.refused && before && !before.refused) this.tellAll()
    if (c.peer && c.peer.displayName !== '') this.#named(c.peer.user, c.peer.displayName)
    if (!before || before.read !== next.read) this.#recount.add(id)
    return next
  }

  #named(user: string, displayName: string): void {
    const old = this.#profiles.get(user)
    if (!old) this.takeProfile({ user, displayName, avatar: '', signature: '', revision: 0 })
  }

  takeProfile(profile: ProfileRow): void {
    const old = this.#profiles.get(profile.user)
    if (old && old.revision > profile.revision) return
    if (old && old.revision === profile.revision && old.displayName === profile.displayName && old.signature === profile.signature && old.avatar === profile.avatar) return
    this.#profiles.set(profile.user, profile)
    this.#store.put('profiles', profile)
    this.#tell({ kind: 'profiles', account: this.me, rows: [profile] })
    const talk = this.with(profile.user, '')
    if (talk?.peer && profile.displayName !== '' && talk.peer.displayName !== profile.displayName) {
      this.update(talk.id, (c) => ({ peer: c.peer && { ...c.peer, displayName: profile.displayName } }))
    }
  }

  /** One page of a sync: the newest messages of a conversation after the cursor, and older ones that changed. */
  synced(page: pb.ConversationPage): void {
    if (!page.conversation) return
    const id = String(page.conversation.conversation)
    const known = this.#all.get(id)?.known ?? []
    const c = this.overview(page.conversation)
    const head = Number(page.conversation.head)
    const rows = page.messages.map((m) => messageRow(m, id, this.me))
    const covered = top(known)
    // With no message after the cursor, or fewer numbers than messages between, nothing can be missing. Of a group's lines not
    // all are pushed, so there the first proves nothing.
    const nothing = rows.length === 0 && page.conversation.group === undefined
    const whole = known.length > 0 && (nothing || head - covered <= rows.length)
    const first = rows[0]?.sequence ?? head + 1
    this.update(id, (old) => ({ known: add(old.known, whole ? Math.min(covered + 1, first) : first, head) }))
    this.take(rows, true)
    this.take(page.changed.map((m) => messageRow(m, id, this.me)), false)
    if (page.played.length > 0) void this.played(id, page.played.map(Number))
    if (c.head > 0) this.#recount.add(id)
  }

  /** A page of history. */
  paged(id: string, page: pb.Page): MessageRow[] {
    const rows = page.messages.map((m) => messageRow(m, id, this.me))
    const [first, last] = [Number(page.first), Number(page.last)]
    this.update(id, (old) => ({
      known: last >= first && first > 0 ? add(old.known, first, last) : old.known,
      head: Math.max(old.head, Number(page.head)),
    }))
    this.take(rows, false)
    this.#recount.add(id)
    return rows
  }

  /** A pushed message. Whether a gap before it is to be asked about. */
  pushed(id: string, m: pb.Message): boolean {
    const row = messageRow(m, id, this.me)
    const old = this.#all.get(id)
    const follows = top(old?.known ?? []) + 1 === row.sequence || row.sequence === this.floor(id)
    const known: Known = add(old?.known ?? [], row.sequence, row.sequence)
    this.update(id, (c) => ({ known, head: Math.max(c.head, row.sequence), time: Math.max(c.time, row.time) }))
    this.take([row], true)
    if (row.author !== this.me && row.sequence > (old?.read ?? 0) && !holding(old?.known ?? [], row.sequence)) {
      const called = calls(row.content, this.me)
      if (!called.line && !row.recalled) {
        this.update(id, (c) => ({ unread: c.unread + 1, mentioned: c.mentioned || called.me }))
      }
    }
    return !follows
  }

  /** A pushed change; `record` is the number of the change itself. */
  changed(id: string, m: pb.Message, record: number): boolean {
    this.take([messageRow(m, id, this.me)], false)
    if (m.recalled) this.#recount.add(id)
    if (record === 0) return true
    const old = this.#all.get(id)
    const follows = top(old?.known ?? []) + 1 === record
    this.update(id, (c) => ({ known: add(c.known, record, record), head: Math.max(c.head, record) }))
    return !follows
  }

  /** Messages that were listened to on one of the devices. */
  async played(id: string, sequences: readonly number[]): Promise<void> {
    await this.settled()
    const rows = await Promise.all(sequences.map((sequence) => this.#store.message(id, sequence)))
    this.take(rows.flatMap((row) => (row && !row.played ? [{ ...row, played: true }] : [])), false)
  }

  /** An own message that got its place. */
  placed(id: string, row: MessageRow): boolean {
    const old = this.#all.get(id)
    const follows = top(old?.known ?? []) + 1 === row.sequence || row.sequence === this.floor(id)
    this.update(id, (c) => ({ known: add(c.known, row.sequence, row.sequence), head: Math.max(c.head, row.sequence), time: Math.max(c.time, row.time) }))
    this.take([row], true)
    return !follows
  }

  marks(id: string, m: pb.MarksNow): void {
    const [delivered, read] = [Number(m.delivered), Number(m.read)]
    if (m.user === this.me) {
      this.update(id, (c) => ({ delivered: Math.max(c.delivered, delivered), read: Math.max(c.read, read) }))
      this.#recount.add(id)
    } else {
      this.update(id, (c) => ({
        peer: c.peer?.user === m.user ? { ...c.peer, delivered: Math.max(c.peer.delivered, delivered), read: Math.max(c.peer.read, read) } : c.peer,
      }))
    }
  }

  /** Read here, before the node knows. */
  readHere(id: string, sequence: number): void {
    const c = this.#all.get(id)
    if (!c || c.read >= sequence) return
    const all = sequence >= c.head
    this.update(id, (old) => (all ? { read: sequence, unread: 0, mentioned: false } : { read: sequence }))
    if (!all) this.#recount.add(id)
  }

  /** Something of the outbox is the newest, or is not any more. */
  newest(id: string, row: MessageRow): void {
    if (!this.#all.has(id)) return // the node has no such conversation (any more)
    this.update(id, (c) => ({ last: row, time: Math.max(c.time, row.time) }))
  }

  async oldest(id: string): Promise<void> {
    const c = this.#all.get(id)
    if (!c) return
    const [row] = await this.#store.lastMessages(id, 1, Number.MAX_SAFE_INTEGER, 1)
    this.update(id, () => ({ last: row }))
  }

  /** Takes forms of messages: the later ones are kept and told. */
  take(rows: readonly MessageRow[], isFresh: boolean): void {
    for (const row of rows) {
      if (row.sequence === 0) continue
      const key = `${row.conversation}/${row.sequence}`
      ;(isFresh ? this.#heard : this.#changed).set(key, later(this.#heard.get(key) ?? this.#changed.get(key), row))
      const last = this.#all.get(row.conversation)?.last
      if (!last || (last.sequence !== 0 && row.sequence >= last.sequence) || last.key === row.key) {
        this.update(row.conversation, (c) => ({ last: c.last && c.last.sequence === row.sequence ? later(c.last, row) : row }))
      }
    }
    if (rows.length > 0) this.#later()
  }

  /** Copies of what the node keeps no longer go, too; answers the ids of messages that went. */
  async letGo({ directBefore, groupsBefore }: KeptRow): Promise<string[]> {
    const ids: string[] = []
    for (const { id } of [...this.#all.values()]) {
      const before = this.#all.get(id)?.group ? groupsBefore : directBefore
      const end = Number.MAX_SAFE_INTEGER
      for (let [from, through] = [this.#all.get(id)?.gone ?? 0, true]; before > 0; ) {
        await this.settled() // what was heard is in the store, and is not overwritten by what it was before
        const rows = await this.#store.messages(id, from + 1, end, GONE_STEP)
        const old = rows.slice(0, rows.findIndex((row) => row.time >= before) >>> 0)
        const going = old.filter((row) => goes(row, before))
        this.take(going.map(emptied), false)
        ids.push(...going.map((row) => row.id))
        // What was edited since is looked at again another time.
        const stays = old.find((row) => row.editedTime >= before)
        from = old.at(-1)?.sequence ?? from
        if (through && old.length > 0) this.update(id, () => ({ gone: stays ? stays.sequence - 1 : from }))
        through &&= stays === undefined
        if (old.length < GONE_STEP) break
      }
    }
    await this.settled()
    return ids
  }

  #later(): void {
    this.#flushing ??= Promise.resolve().then(() => this.#flush())
  }

  /** Until all that was heard is with the store (in order; not yet on the disk) and told. */
  async settled(): Promise<void> {
    while (this.#flushing) await this.#flushing
  }

  async #flush(): Promise<void> {
    for (const [from, isFresh] of [[this.#heard, true], [this.#changed, false]] as const) {
      const rows = [...from.values()]
      from.clear()
      if (rows.length === 0) continue
      const kept = await Promise.all(rows.map((r) => this.#store.message(r.conversation, r.sequence)))
      const told: MessageRow[] = []
      rows.forEach((row, i) => {
        const form = later(kept[i], row)
        if (form === kept[i]) return
        this.#store.put('messages', form)
        told.push(form)
      })
      if (told.length > 0) this.#tell({ kind: 'messages', account: this.me, rows: told, fresh: isFresh })
    }
    const recount = [...this.#recount]
    this.#recount.clear()
    for (const id of recount) await this.#count(id)
    const touched = [...this.#touched].map((id) => this.#all.get(id)).filter((c) => c !== undefined)
    this.#touched.clear()
    for (const c of touched) this.#store.put('conversations', c)
    const told = touched.filter((c) => !c.refused)
    if (told.length > 0) this.#tell({ kind: 'conversations', account: this.me, rows: told.map(shown), whole: false })
    this.#flushing = undefined
    if (this.#heard.size + this.#changed.size + this.#recount.size + this.#touched.size > 0) this.#later()
  }

  async #count(id: string): Promise<void> {
    const c = this.#all.get(id)
    if (!c) return
    const from = Math.max(c.read + 1, this.floor(id))
    let [unread, mentioned] = [0, false]
    if (from <= c.head) {
      const rows = await this.#store.messages(id, from, c.head, COUNT_MAX)
      for (const row of rows) {
        if (row.author === this.me || row.recalled) continue
        const called = calls(row.content, this.me)
        if (called.line) continue
        unread += 1
        mentioned ||= called.me
      }
      // What nobody looked at is taken for messages.
      unread += missing(c.known, from, c.head)
    }
    if (this.#all.get(id) !== c) this.#recount.add(id) // something came while it was counted
    else if (unread !== c.unread || mentioned !== c.mentioned) this.update(id, () => ({ unread, mentioned }))
  }

  /** The highest stretch of a conversation that nobody looked at, if there is one above what one has. */
  hole(id: string): readonly [number, number] | undefined {
    const c = this.#all.get(id)
    return c && c.known.length > 0 ? gap(c.known, this.floor(id), c.head) : undefined
  }
}
