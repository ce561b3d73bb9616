// What an account can be asked (api.ts): from what is kept where that is enough, else from the node.

import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  ApiError, type AccountCalls, type Act, type Acted, type AutoReply, type Availability, type CardRow, type ConversationId, type DeviceRow, type Draft, type FileAccessRow, type FoundRow, type FoundSort, type GroupInvitationRow,
  type GroupLinkRow, type InvitationRow, type Later, type MembersRow, type MessageRow, type NotifyRow, type NotifySettings, type Openness, type PasskeyBegun, type Place, type ProfileRow, type ReadersRow,
  type Schedule, type StickerChange, type StickerRow, type SearchOrder, type SendOrder, type Stretch, type WaysRow,
} from './api'
import type { ActInGroupSchema, SearchSchema } from './made/startalk/client_pb'
import { foundRow, invitationRow, memberRow, messageRow, notifyRow, passkeyBegun, profileRow, unhex, waysRow } from './rows'
import type { Session } from './session'
import { holding } from './stretches'
import type { Ask } from './wire'

const PAGE = 50
/** Pages asked for to fill one stretch: edits take numbers too, so that a page may have few messages. */
const PAGES_MAX = 8
/** Marks are sent at most so often. */
const MARK_MS = 300

/** Searches at the node at a time: who types fast ends most of theirs while they wait here. */
const SEARCHES_MAX = 2
/** Conversations and people found at a time, of each. */
const FOUND = 20

type ActAsk = NonNullable<MessageInitShape<typeof ActInGroupSchema>['act']>

export class Calls implements AccountCalls {
  readonly #session: Session
  #marks = new Map<ConversationId, number>()
  #arrived = new Set<ConversationId>()
  #marking: ReturnType<typeof setTimeout> | undefined

  #searching = 0
  #toSearch: (() => void)[] = []

  constructor(session: Session) {
    this.#session = session
  }

  /** How a message of one's own looks before it has a number. */
  blank(conversation: string, content: Uint8Array): MessageRow {
    return {
      key: '', conversation, sequence: 0, id: '', author: this.#session.me, time: Date.now(), sentTime: 0, content, replyTo: '',
      replySequence: 0, editedTime: 0, recalled: false, reactions: [], pinned: false, own: 'pending', problem: undefined, counter: 0,
    }
  }

  #addressed(conversation: string): { to: string; group: string } {
    const talk = this.#session.book.get(conversation)
    return { to: talk?.peer?.user ?? '', group: talk?.group?.group ?? '' }
  }

  async send(order: SendOrder): Promise<MessageRow> {
    const { outbox, store } = this.#session
    const { conversation, content } = order
    const taken = outbox.taken(order.ticket)
    if (taken) return (await store.message(taken.conversation, taken.sequence)) ?? this.blank(conversation, content)
    const addressed = this.#addressed(conversation)
    const replySequence = order.replySequence ?? 0
    // In a group the number says which; the id is kept beside it.
    const replyTo = addressed.group === '' ? (order.replyTo ?? '') : ''
    const kept = outbox.add({
      ticket: order.ticket,
      kind: 'send',
      conversation,
      ...addressed,
      reply: order.replyTo ? { id: order.replyTo, sequence: replySequence } : undefined,
      ask: (counter) => ({
        case: 'send',
        value: { conversation: BigInt(conversation), counter: BigInt(counter), content, replyTo: unhex(replyTo), replySequence: BigInt(replySequence) },
      }),
      row: { ...this.blank(conversation, content), replyTo, replySequence },
    })
    await this.#sure(kept.counter)
    if (kept.row) this.#session.show(kept.row)
    this.#session.pump()
    return kept.row ?? this.blank(conversation, content)
  }

  /** What cannot be kept is not said. */
  async #sure(counter: number): Promise<void> {
    try {
      await this.#session.outbox.sure()
    } catch (error) {
      this.#session.outbox.forget(counter)
      throw error
    }
  }

  /** A command on what has a number: kept, sent, and answered. */
  async #change(kind: 'edit' | 'recall' | 'act', conversation: string, ask: (counter: number) => Ask): Promise<Acted> {
    const { outbox } = this.#session
    const order = outbox.add({ ticket: crypto.randomUUID(), kind, conversation, ...this.#addressed(conversation), ask })
    const outcome = outbox.outcome(order.counter)
    outcome.catch(() => undefined)
    await this.#sure(order.counter)
    this.#session.pump()
    const sent = await outcome
    return { conversation: sent ? String(sent.conversation) : conversation, waiting: sent?.sequence === 0n }
  }

  async edit(conversation: string, sequence: number, content: Uint8Array): Promise<void> {
    await this.#change('edit', conversation, (counter) => ({
      case: 'edit', value: { conversation: BigInt(conversation), sequence: BigInt(sequence), counter: BigInt(counter), content },
    }))
  }

  async recall(conversation: string, sequence: number): Promise<void> {
    await this.#change('recall', conversation, (counter) => ({
      case: 'recall', value: { conversation: BigInt(conversation), sequence: BigInt(sequence), counter: BigInt(counter) },
    }))
  }

  async retry(counter: number): Promise<void> {
    const { outbox, me } = this.#session
    const again = outbox.again(counter)
    if (!again) return
    await outbox.sure()
    this.#session.tell({ kind: 'forgotten', account: me, conversation: again.old.conversation, key: again.old.key })
    if (again.now.row) this.#session.show(again.now.row)
    this.#session.pump()
  }

  async discard(counter: number): Promise<void> {
    const { outbox, book, me } = this.#session
    const state = outbox.get(counter)?.state
    if (state !== 'failed' && state !== 'unconfirmed') return
    const order = outbox.forget(counter)
    if (!order?.row) return
    this.#session.tell({ kind: 'forgotten', account: me, conversation: order.conversation, key: order.row.key })
    if (book.get(order.conversation)?.last?.key === order.row.key) await book.oldest(order.conversation)
  }

  // ---- reading ----

  async stretch(conversation: string, place: Place, limit = PAGE): Promise<Stretch> {
    const { book, outbox } = this.#session
    await book.settled()
    const floor = book.floor(conversation)
    const head = () => Math.max(book.get(conversation)?.head ?? 0, floor - 1)
    let out: Stretch
    switch (place.at) {
      case 'latest':
        out = await this.#below(conversation, head() + 1, limit)
        break
      case 'before':
        out = await this.#below(conversation, place.sequence, limit)
        break
      case 'after':
        out = await this.#above(conversation, place.sequence, limit)
        break
      case 'around': {
        const half = Math.ceil(limit / 2)
        const below = await this.#below(conversation, Math.min(place.sequence, head()) + 1, half)
        const above = await this.#above(conversation, below.last, half)
        out = { ...above, messages: [...below.messages, ...above.messages], first: below.first, atStart: below.atStart }
        break
      }
    }
    return out.atEnd ? { ...out, messages: [...out.messages, ...outbox.rows(conversation)] } : out
  }

  /** Up to `limit` messages with numbers below `end`. */
  async #below(conversation: string, end: number, limit: number): Promise<Stretch> {
    const { book, store } = this.#session
    const floor = book.floor(conversation)
    const last = end - 1
    let first = end
    for (let page = 0; page <= PAGES_MAX; page++) {
      first = end
      for (let known; first > floor && (known = holding(this.#known(conversation), first - 1)); ) first = Math.max(floor, known[0])
      const rows = await store.lastMessages(conversation, first, last, limit)
      if (rows.length >= limit || first <= floor) {
        // Beyond what is given nothing was looked at, as far as who asked is concerned.
        const from = rows.length >= limit ? (rows[0]?.sequence ?? first) : first
        return this.#stretch(conversation, rows, from, last, floor)
      }
      if (page === PAGES_MAX || !(await this.#history(conversation, { before: BigInt(first), limit: Math.max(limit, PAGE) }))) {
        return this.#stretch(conversation, rows, first, last, floor)
      }
    }
    return this.#stretch(conversation, [], first, last, floor)
  }

  /** Up to `limit` messages with numbers above `start`. */
  async #above(conversation: string, start: number, limit: number): Promise<Stretch> {
    const { book, store } = this.#session
    const floor = book.floor(conversation)
    const first = start + 1
    for (let page = 0; ; page++) {
      const head = book.get(conversation)?.head ?? 0
      let last = start
      for (let known; last < head && (known = holding(this.#known(conversation), last + 1)); ) last = known[1]
      const rows = await store.messages(conversation, first, last, limit)
      if (rows.length >= limit || last >= head) {
        const to = rows.length >= limit ? (rows.at(-1)?.sequence ?? last) : last
        return this.#stretch(conversation, rows, first, to, floor)
      }
      if (page >= PAGES_MAX || !(await this.#history(conversation, { after: BigInt(last), limit: Math.max(limit, PAGE) }))) {
        return this.#stretch(conversation, rows, first, last, floor)
      }
    }
  }

  #known(conversation: string) {
    return this.#session.book.get(conversation)?.known ?? []
  }

  #stretch(conversation: string, messages: readonly MessageRow[], first: number, last: number, floor: number): Stretch {
    const head = this.#session.book.get(conversation)?.head ?? 0
    return { messages, first, last, atStart: first <= floor, atEnd: last >= head }
  }

  /** Asks the node for a page; false: there is no connection, or nothing more to be had. */
  async #history(conversation: string, what: { before?: bigint; after?: bigint; limit: number }): Promise<boolean> {
    const { book } = this.#session
    try {
      const value = { conversation: BigInt(conversation), ...what, limit: Math.min(200, what.limit) }
      const page = await this.#session.askNow({ case: 'history', value }, 'page') // what is kept is shown meanwhile
      const before = this.#known(conversation)
      book.paged(conversation, page)
      await book.settled()
      return JSON.stringify(before) !== JSON.stringify(this.#known(conversation))
    } catch (error) {
      if (error instanceof ApiError && error.code === 'offline') return false
      throw error
    }
  }

  async message(conversation: string, by: { readonly id?: string; readonly sequence?: number }): Promise<MessageRow | undefined> {
    const { book, store } = this.#session
    await book.settled()
    if (by.id) return store.messageOf(conversation, by.id)
    if (!by.sequence) return undefined
    const there = await store.message(conversation, by.sequence)
    if (there || holding(this.#known(conversation), by.sequence)) return there
    await this.#history(conversation, { after: BigInt(by.sequence - 1), limit: 1 })
    return store.message(conversation, by.sequence)
  }

  async markRead(conversation: string, sequence: number): Promise<void> {
    const { book } = this.#session
    const talk = book.get(conversation)
    const upTo = Math.min(sequence, talk?.head ?? 0)
    if (!talk || upTo <= talk.read) return
    book.readHere(conversation, upTo)
    this.#marks.set(conversation, upTo)
    this.#session.store.put('meta', new Map(this.#marks), 'marks')
    this.#marking ??= setTimeout(() => this.#mark(), MARK_MS)
  }

  /** What others said in this conversation is kept here. In groups nobody is told of that, and strangers are told nothing. */
  arrived(conversation: string): void {
    const talk = this.#session.book.get(conversation)
    if (!talk?.peer || talk.request || talk.blocked || talk.delivered >= talk.head || talk.peer.user === this.#session.me) return
    this.#arrived.add(conversation)
    this.#marking ??= setTimeout(() => this.#mark(), MARK_MS)
  }

  #mark(): void {
    this.#marking = undefined
    if (!this.#session.live) return // `resume` does it
    const { store, book } = this.#session
    const due = new Set([...this.#arrived, ...this.#marks.keys()])
    this.#arrived.clear()
    for (const conversation of due) {
      const talk = book.get(conversation)
      if (!talk) continue
      const read = this.#marks.get(conversation) ?? 0
      const delivered = Math.max(read, talk.peer && !talk.request ? talk.head : 0)
      this.#session.ask({ case: 'mark', value: { conversation: BigInt(conversation), delivered: BigInt(delivered), read: BigInt(read) } }, 'done').then(
        () => {
          book.update(conversation, (c) => ({ delivered: Math.max(c.delivered, delivered) }))
          if (read === 0 || this.#marks.get(conversation) !== read) return
          this.#marks.delete(conversation)
          store.put('meta', new Map(this.#marks), 'marks')
        },
        (error: unknown) => {
          // What the node does not take now it will not take later; without a connection it is asked again.
          if (!(error instanceof ApiError && error.code === 'offline')) this.#marks.delete(conversation)
        },
      )
    }
  }

  /** The numbers of what was read may mean others now. */
  forgetMarks(): void {
    this.#marks.clear()
    this.#arrived.clear()
    this.#session.store.remove('meta', 'marks')
  }

  /** The connection is there again: tells what was read and what has arrived meanwhile. */
  resume(): void {
    void this.#session.store.meta<Map<string, number>>('marks').then((kept) => {
      for (const [conversation, read] of kept ?? []) {
        if (read > (this.#marks.get(conversation) ?? 0)) this.#marks.set(conversation, read)
      }
      for (const { id } of this.#session.book.all()) this.arrived(id)
      this.#mark()
    })
  }

  async typing(conversation: string, typing: boolean): Promise<void> {
    if (this.#session.live) await this.#session.ask({ case: 'typing', value: { conversation: BigInt(conversation), typing } }, 'done').catch(() => undefined)
  }

  draft(address: string): Promise<Draft | undefined> {
    return Promise.resolve(this.#session.book.draft(address))
  }

  async keepDraft(address: string, draft: Draft | undefined): Promise<void> {
    // A view that is left because the device is none any more has nothing to keep.
    if (!this.#session.identity.signedOut) this.#session.book.keepDraft(address, draft)
  }

  // ---- searching ----

  async search(order: SearchOrder, signal?: AbortSignal): Promise<FoundRow> {
    const cancelled = () => new ApiError('cancelled')
    // One that was ended meanwhile makes room at once for the next.
    while (this.#searching >= SEARCHES_MAX) await new Promise<void>((resolve) => this.#toSearch.push(resolve))
    this.#searching += 1
    try {
      if (signal?.aborted) throw cancelled()
      const found = await this.#session.ask({ case: 'search', value: searchAsk(order) }, 'found')
      if (signal?.aborted) throw cancelled()
      return foundRow(found)
    } finally {
      this.#searching -= 1
      this.#toSearch.shift()?.()
    }
  }

  // ---- conversations and people ----

  async silence(conversation: string, untilMs: number, mentionsOnly: boolean): Promise<void> {
    await this.#session.ask({ case: 'setConversation', value: { conversation: BigInt(conversation), mutedUntilMs: BigInt(untilMs), mentionsOnly } }, 'done')
    this.#session.book.update(conversation, () => ({ mutedUntilMs: untilMs, mentionsOnly }))
  }

  async decide(conversation: string, accept: boolean): Promise<void> {
    await this.#session.ask({ case: 'decideRequest', value: { conversation: BigInt(conversation), accept } }, 'done')
    const { book } = this.#session
    book.update(conversation, () => ({ request: false, refused: !accept, blocked: !accept }))
    if (!accept) book.tellAll()
  }

  async arrange(conversation: string, change: { readonly pinned?: boolean; readonly hidden?: boolean; readonly unread?: boolean }): Promise<void> {
    // Seen at once; what the node has of it comes with its own word, and so does that it was not to be.
    const { book } = this.#session
    const before = book.get(conversation)
    if (!before) return
    const { pinned = before.pinned, unread = before.markedUnread } = change
    const hiddenUntil = change.hidden === undefined ? before.hiddenUntil : change.hidden ? before.head + 1 : 0
    book.update(conversation, () => ({ pinned, markedUnread: unread, hiddenUntil }))
    try {
      await this.#session.ask({ case: 'arrangeConversation', value: { conversation: BigInt(conversation), ...change } }, 'done')
    } catch (error) {
      book.update(conversation, () => ({ pinned: before.pinned, markedUnread: before.markedUnread, hiddenUntil: before.hiddenUntil }))
      throw error
    }
  }

  async keepPerson(user: string, change: { readonly remark?: string; readonly starred?: boolean }): Promise<void> {
    await this.#session.ask({ case: 'keepPerson', value: { user, ...change } }, 'done')
  }

  async setAvailability(said: Availability): Promise<void> {
    const { state, untilMs, text } = said
    await this.#session.ask({ case: 'setAvailability', value: { availability: { state, untilMs: BigInt(untilMs), text } } }, 'done')
  }

  async setSchedule({ zone, spans }: Schedule): Promise<void> {
    await this.#session.ask({ case: 'setSchedule', value: { schedule: { zone, spans: spans.map((one) => ({ ...one })) } } }, 'done')
  }

  async setAutoReply(reply: AutoReply): Promise<void> {
    await this.#session.ask({ case: 'setAutoReply', value: { reply: { ...reply } } }, 'done')
  }

  async setOpenness(openness: Openness): Promise<void> {
    await this.#session.ask({ case: 'setOpenness', value: { openness: { ...openness } } }, 'done')
  }

  async card(user: string): Promise<CardRow> {
    const told = await this.#session.ask({ case: 'getProfile', value: { user } }, 'profile')
    const profile = profileRow(told)
    this.#session.book.takeProfile(profile)
    const { presence } = told
    return { profile, presence: presence && { state: presence.state, text: presence.text, seenMs: Number(presence.seenMs) }, question: told.question }
  }

  async open(user: string): Promise<ConversationId> {
    const there = this.#session.book.with(user, '')
    if (there) {
      // Whom one had refused, one wants to hear after all.
      if (there.refused) await this.decide(there.id, true)
      else if (there.hiddenUntil > there.head) await this.arrange(there.id, { hidden: false }).catch(() => undefined)
      return there.id
    }
    const conversation = await this.#session.ask({ case: 'openConversation', value: { user } }, 'conversation')
    return this.#session.book.overview(conversation).id
  }

  async block(user: string, blocked: boolean): Promise<void> {
    await this.#session.ask({ case: 'block', value: { user, blocked } }, 'done')
  }

  async blocked(): Promise<readonly string[]> {
    return (await this.#session.ask({ case: 'listBlocked', value: {} }, 'blocked')).users
  }

  async profile(user: string): Promise<ProfileRow> {
    try {
      const profile = profileRow(await this.#session.ask({ case: 'getProfile', value: { user } }, 'profile'))
      this.#session.book.takeProfile(profile)
      return profile
    } catch (error) {
      const kept = this.#session.book.profile(user)
      if (kept && error instanceof ApiError && error.code === 'offline') return kept
      throw error
    }
  }

  async setProfile(displayName: string, avatar: string, signature: string): Promise<void> {
    await this.#session.ask({ case: 'setProfile', value: { displayName, avatar, signature } }, 'done')
  }

  async setPresence(state: string): Promise<void> {
    await this.#session.ask({ case: 'setPresence', value: { state } }, 'done')
  }

  async notify(): Promise<NotifyRow> {
    return notifyRow(await this.#session.ask({ case: 'getNotify', value: {} }, 'notify'))
  }

  async setNotify(settings: NotifySettings): Promise<void> {
    await this.#session.ask({ case: 'setNotify', value: { settings: { ...settings, keywords: [...settings.keywords] } } }, 'done')
  }

  async subscribePush(endpoint: string, p256dh: Uint8Array<ArrayBuffer>, auth: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#session.ask({ case: 'subscribePush', value: { endpoint, p256dh, auth } }, 'done')
  }

  async unsubscribePush(): Promise<void> {
    await this.#session.ask({ case: 'unsubscribePush', value: {} }, 'done')
  }

  async devices(): Promise<readonly DeviceRow[]> {
    const { devices } = await this.#session.ask({ case: 'listDevices', value: {} }, 'devices')
    return devices.map((d) => ({ id: String(d.device), name: d.name, addedMs: Number(d.addedMs), seenMs: Number(d.seenMs), here: d.this }))
  }

  async revokeDevice(id: string): Promise<void> {
    await this.#session.ask({ case: 'revokeDevice', value: { device: BigInt(id) } }, 'done')
  }

  async ways(): Promise<WaysRow> {
    return waysRow(await this.#session.ask({ case: 'getSignIn', value: {} }, 'signInWays'))
  }

  async beginLink(provider: string, challenge: Uint8Array<ArrayBuffer>): Promise<string> {
    return (await this.#session.ask({ case: 'beginSignIn', value: { provider, challenge, returnTo: '' } }, 'signInBegun')).url
  }

  async finishLink(ticket: string, verifier: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#session.ask({ case: 'finishSignIn', value: { ticket, verifier, deviceName: '' } }, 'done')
  }

  async unlink(id: string): Promise<void> {
    await this.#session.ask({ case: 'unlinkIdentity', value: { link: BigInt(id) } }, 'done')
  }

  async newPasskey(): Promise<PasskeyBegun> {
    return passkeyBegun(await this.#session.ask({ case: 'beginPasskey', value: {} }, 'passkeyBegun'))
  }

  async addPasskey(ceremony: string, credential: string, name: string): Promise<void> {
    await this.#session.ask({ case: 'addPasskey', value: { ceremony: BigInt(ceremony), credential: new TextEncoder().encode(credential), name } }, 'done')
  }

  async removePasskey(id: string): Promise<void> {
    await this.#session.ask({ case: 'removePasskey', value: { passkey: BigInt(id) } }, 'done')
  }

  async changePassword(oldPassword: string, newPassword: string): Promise<void> {
    await this.#session.ask({ case: 'changePassword', value: { oldPassword, newPassword } }, 'done')
  }

  async newRecoveryCodes(password: string): Promise<readonly string[]> {
    return (await this.#session.ask({ case: 'newRecoveryCodes', value: { password } }, 'recoveryCodes')).codes
  }

  async invite(uses: number, validMs: number, groups: readonly ConversationId[] = []): Promise<InvitationRow> {
    return link(await this.#session.ask({ case: 'makeInvitation', value: { uses, validMs: BigInt(validMs), groups: groups.map(BigInt) } }, 'invitation'))
  }

  async deleteAccount(password: string, eraseMessages: boolean): Promise<void> {
    await this.#session.leave(() => this.#session.ask({ case: 'deleteAccount', value: { password, eraseMessages } }, 'done'))
  }

  async filesIn(conversation: string, kinds: number, before: number): Promise<{ messages: readonly MessageRow[]; whole: boolean }> {
    const { messages, whole } = await this.#session.ask({ case: 'listFiles', value: { conversation: BigInt(conversation), kinds, before: BigInt(before), limit: 0 } }, 'fileList')
    return { messages: messages.map((m) => messageRow(m, conversation, this.#session.me)), whole }
  }

  async fileAccess(): Promise<FileAccessRow> {
    const { server, device, token } = this.#session.identity
    if (token.byteLength === 0) throw new ApiError('not-signed-in')
    return { base: new URL(server.replace(/^ws/, 'http')).origin, device, token }
  }

  async openBurning(conversation: string, sequence: number): Promise<void> {
    await this.#session.ask({ case: 'openMessage', value: { conversation: BigInt(conversation), sequence: BigInt(sequence) } }, 'done')
  }

  async markPlayed(conversation: string, sequences: readonly number[]): Promise<void> {
    void this.#session.book.played(conversation, sequences)
    await this.#session.ask({ case: 'markPlayed', value: { conversation: BigInt(conversation), sequences: sequences.map(BigInt) } }, 'done')
  }

  async stickers(): Promise<readonly StickerRow[]> {
    const out: StickerRow[] = []
    for (let skip = 0; ; ) {
      const page = await this.#session.ask({ case: 'listStickers', value: { skip } }, 'stickers')
      out.push(...page.stickers.map((one) => ({ number: String(one.number), content: one.sticker })))
      if (page.next <= skip) return out
      skip = page.next
    }
  }

  async changeStickers(change: StickerChange): Promise<void> {
    const what = change.change === 'message'
      ? { case: 'fromMessage' as const, value: { conversation: BigInt(change.conversation), sequence: BigInt(change.sequence) } }
      : change.change === 'add' ? { case: 'sticker' as const, value: change.content } : { case: 'remove' as const, value: BigInt(change.number) }
    await this.#session.ask({ case: 'changeStickers', value: { change: what } }, 'done')
  }

  async later<K extends keyof Later>(what: K, ...args: Parameters<Later[K]>): Promise<Awaited<ReturnType<Later[K]>>> {
    const { LaterCalls } = await import('./later')
    const all = new LaterCalls(this.#session) as unknown as Record<K, (...args: unknown[]) => Promise<Awaited<ReturnType<Later[K]>>>>
    return all[what](...args)
  }

  async administer(method: string, path: string, body?: unknown): Promise<unknown> {
    const { server, token } = this.#session.identity
    const digits = Array.from(token, (byte) => byte.toString(16).padStart(2, '0')).join('')
    const headers: Record<string, string> = { authorization: `Bearer std_${digits}` }
    const file = body instanceof Uint8Array
    if (body !== undefined) headers['content-type'] = file ? 'application/octet-stream' : 'application/json'
    let answer: Response
    try {
      answer = await fetch(new URL(`/api/admin/v1${path}`, server.replace(/^ws/, 'http')), {
        method, headers, credentials: 'omit', cache: 'no-store', ...(body === undefined ? {} : { body: file ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
      })
    } catch {
      throw new ApiError('offline')
    }
    const text = await answer.text()
    let told: unknown
    try {
      told = text === '' ? undefined : JSON.parse(text)
    } catch {
      throw new ApiError('internal', { why: String(answer.status) })
    }
    if (answer.ok) return told
    const { code, params } = (told ?? {}) as { code?: string; params?: Record<string, string> }
    throw new ApiError(code ?? 'internal', params ?? {})
  }

  async signOut(forget: boolean): Promise<void> {
    // Without a connection the device stays at the node until it is revoked from another one: say so, unless all is forgotten.
    await this.#session.leave(async () => {
      try {
        await this.#session.ask({ case: 'signOut', value: {} }, 'done')
      } catch (error) {
        if (!forget || !(error instanceof ApiError)) throw error
      }
    })
  }

  async reconnect(): Promise<void> {
    this.#session.wake()
  }

  // ---- groups ----

  /** A numbered command whose answer is not `Sent`: asked now or not at all. */
  async #number(): Promise<bigint> {
    if (!this.#session.reachable) throw new ApiError('offline')
    const counter = this.#session.outbox.number()
    await this.#session.store.sure()
    return BigInt(counter)
  }

  async createGroup(name: string, members: readonly string[]): Promise<Acted> {
    return this.#now((counter) => ({ case: 'createGroup', value: { counter: BigInt(counter), name, members: [...members] } }))
  }

  async join(text: string, word: string): Promise<Acted> {
    return this.#now((counter) => ({ case: 'joinGroup', value: { counter: BigInt(counter), link: text, word } }))
  }

  /** A command of which a person waits for the outcome: kept all the same, so that it is done once. */
  async #now(ask: (counter: number) => Ask, conversation = ''): Promise<Acted> {
    if (!this.#session.reachable) throw new ApiError('offline')
    return this.#change('act', conversation, ask)
  }

  async act(conversation: string, act: Act): Promise<Acted> {
    const ask = (counter: number): Ask => ({
      case: 'actInGroup', value: { conversation: BigInt(conversation), counter: BigInt(counter), act: actAsk(act) },
    })
    // What belongs to messages waits for a connection as messages do; whoever changes a group wants to see it done.
    return act.kind === 'react' || act.kind === 'pin' || act.kind === 'leave' ? this.#change('act', conversation, ask) : this.#now(ask, conversation)
  }

  async makeLink(conversation: string, uses: number, validMs: number): Promise<InvitationRow> {
    const counter = await this.#number()
    const act: ActAsk = { case: 'makeLink', value: { uses, validMs: BigInt(validMs) } }
    return link(await this.#session.ask({ case: 'actInGroup', value: { conversation: BigInt(conversation), counter, act } }, 'invitation'))
  }

  async links(conversation: string): Promise<readonly GroupLinkRow[]> {
    const { links } = await this.#session.ask({ case: 'listGroupLinks', value: { conversation: BigInt(conversation) } }, 'groupLinks')
    return links.map((l) => ({ link: String(l.link), maker: l.maker, uses: l.uses, used: l.used, notAfterMs: Number(l.notAfterMs) }))
  }

  async members(conversation: string, from: number, limit: number, asked: boolean): Promise<MembersRow> {
    const page = await this.#session.ask({ case: 'listMembers', value: { conversation: BigInt(conversation), from: BigInt(from), limit, asked } }, 'members')
    return { members: page.members.map(memberRow), next: Number(page.next), count: Number(page.count) }
  }

  async pins(conversation: string): Promise<readonly MessageRow[]> {
    const { messages } = await this.#session.ask({ case: 'listPins', value: { conversation: BigInt(conversation) } }, 'pins')
    return messages.map((m) => messageRow(m, conversation, this.#session.me))
  }

  async readers(conversation: string, sequence: number): Promise<ReadersRow> {
    const r = await this.#session.ask({ case: 'getReaders', value: { conversation: BigInt(conversation), sequence: BigInt(sequence) } }, 'readers')
    return { count: Number(r.count), of: Number(r.of), users: r.users }
  }

  async groupInvitations(): Promise<readonly GroupInvitationRow[]> {
    return (await this.#session.ask({ case: 'listGroupInvitations', value: {} }, 'groupInvitations')).invitations.map(invitationRow)
  }

  async decideInvitation(group: string, accept: boolean): Promise<Acted | undefined> {
    if (accept) return this.#now((counter) => ({ case: 'decideGroupInvitation', value: { counter: BigInt(counter), group, accept } }))
    const counter = await this.#number()
    await this.#session.ask({ case: 'decideGroupInvitation', value: { counter, group, accept } }, 'done')
    return undefined
  }
}

function searchAsk(order: SearchOrder): MessageInitShape<typeof SearchSchema> {
  const wants = (sort: FoundSort) => order.sorts?.includes(sort) ?? false
  return {
    query: order.query, people: wants('people'), groups: wants('groups'), messages: wants('messages'), conversation: BigInt(order.conversation ?? 0),
    from: order.from ?? '', kind: order.kind ?? '', afterMs: BigInt(order.afterMs ?? 0), beforeMs: BigInt(order.beforeMs ?? 0),
    utcOffsetMin: -new Date().getTimezoneOffset(), limit: order.limit ?? FOUND, ...(order.next ? { next: new Uint8Array(order.next) } : {}),
  }
}

function link(i: { link: string; notAfterMs: bigint; uses: number }): InvitationRow {
  return { link: i.link, notAfterMs: Number(i.notAfterMs), uses: i.uses }
}

function actAsk(act: Act): ActAsk {
  switch (act.kind) {
    case 'add': return { case: 'add', value: act.user }
    case 'remove': return { case: 'remove', value: act.user }
    case 'ban': return { case: 'ban', value: { user: act.user, lift: act.lift } }
    case 'role': return { case: 'setRole', value: { user: act.user, role: act.role } }
    case 'mute': return { case: 'mute', value: { user: act.user, untilMs: BigInt(act.untilMs) } }
    case 'text': return { case: 'setText', value: { text: act.text, value: act.value } }
    case 'rights': return { case: 'setRights', value: act.rights }
    case 'revokeLink': return { case: 'revokeLink', value: BigInt(act.link) }
    case 'admit': return { case: 'admit', value: { user: act.user, refuse: act.refuse } }
    case 'react': return { case: 'react', value: { sequence: BigInt(act.sequence), emoji: act.emoji, remove: act.remove } }
    case 'pin': return { case: 'pin', value: { sequence: BigInt(act.sequence), remove: act.remove } }
    case 'leave': return { case: 'leave', value: {} }
    case 'destroy': return { case: 'destroy', value: {} }
  }
}
