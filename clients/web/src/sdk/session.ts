// One account and its node: connects, resumes, syncs from the kept cursor, sends what waits, and connects again.
//
// Invariants: a cursor is given to the store after all that came before it; a command is sent after it is kept; while what
// a node lost is looked for, the old cursor stays, so that a process that ends in between begins anew.

import { ApiError, type AccountRow, type KeptRow, type LaterList, type LinkState, type MessageRow, type Problem, type ProfileRow, type Told, type Welcome } from './api'
import { Book } from './book'
import { Calls } from './calls'
import type * as pb from './made/startalk/client_pb'
import { Outbox } from './outbox'
import { invitationRow, keptRow, messageRow, ownKey, ownRow, personRow, profileRow } from './rows'
import { Socket, hostOf, type OpenWire } from './socket'
import type { Identity, Store } from './store'
import { limits, readAsk, tooLarge, type Answer, type Ask } from './wire'

const PAUSE_MS_MIN = 500
const PAUSE_MS_MAX = 60_000
/** A pushed gap is asked about after so long: answers to own commands may close it. */
const GAP_MS = 400
/** How long what is asked waits for a connection that is being made. */
const MADE_MS = 10_000
/** Gaps up to this are filled at once; what is longer is asked for when somebody looks. */
const GAP_MAX = 200
/** Errors after which the same command may be done later. */
const LATER: ReadonlySet<string> = new Set(['stopping', 'disk-full', 'slow-down', 'offline', 'not-signed-in'])

export interface SessionParts {
  readonly identity: Identity
  readonly store: Store
  readonly open: OpenWire
  readonly tell: (told: Told) => void
  /** Keeps the identity where the accounts of this browser are. */
  readonly keep: (identity: Identity) => Promise<void>
}

export class Session {
  readonly store: Store
  readonly book: Book
  readonly outbox: Outbox
  readonly calls: Calls
  identity: Identity
  readonly #parts: SessionParts
  #link: LinkState = { state: 'offline' }
  #welcome: Welcome | undefined
  #socket: Socket | undefined
  #cursor: Uint8Array = new Uint8Array()
  /** The list of conversations was whole once. */
  #synced = false
  /** This connection is through with its sync. */
  #live = false
  #early: pb.Pushed[] = []
  #wentBack = false
  /** Conversations whose waiting orders the sync did not have. */
  #doubts = new Map<string, Set<number>>()
  #running = false
  #leaving = false
  readonly #waiters = new Set<() => void>()
  /** Counts beginnings: of two at once the later one is meant. */
  #attempt = 0
  #tries = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #pumpAt = 0
  #pumpTimer: ReturnType<typeof setTimeout> | undefined
  #gaps = new Map<string, ReturnType<typeof setTimeout>>()
  #told = ''
  #telling = false

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.identity = parts.identity
    this.store = parts.store
    const tell = (told: Told) => {
      parts.tell(told)
      if (told.kind === 'conversations') this.#tellAccount()
    }
    this.book = new Book(parts.store, parts.identity.user, tell)
    this.outbox = new Outbox(parts.store, parts.identity.device)
    this.calls = new Calls(this)
    parts.store.onbroken = (error) => this.#broken(error)
    if (parts.identity.signedOut) this.#link = { state: 'signed-out', problem: parts.identity.signedOut }
  }

  get me(): string {
    return this.identity.user
  }

  get live(): boolean {
    return this.#live
  }

  /** There is a connection, or one is being made. */
  get reachable(): boolean {
    return this.#live || this.#link.state === 'connecting' || this.#link.state === 'syncing'
  }

  async load(): Promise<void> {
    await this.book.load()
    await this.outbox.load()
    this.#cursor = (await this.store.meta<Uint8Array>('cursor')) ?? new Uint8Array()
    this.#welcome = await this.store.meta<Welcome>('welcome')
    this.outbox.frameBytesMax = this.#limits().frameBytesMax
    this.#synced = this.#cursor.length > 0
  }

  row(): AccountRow {
    return {
      user: this.me,
      server: this.identity.server,
      device: this.identity.device,
      administrator: this.identity.administrator,
      role: this.identity.role ?? (this.identity.administrator ? 'administrator' : ''),
      link: this.#link,
      welcome: this.#welcome,
      me: this.#me(),
      outbox: this.outbox.waitingCount,
      synced: this.#synced,
      unread: this.book.unread(),
    }
  }

  #me(): ProfileRow {
    return this.book.profile(this.me) ?? { user: this.me, displayName: '', avatar: '', signature: '', revision: 0 }
  }

  /** Gathered: many things change it at once. */
  #tellAccount(): void {
    if (this.#telling) return
    this.#telling = true
    void Promise.resolve().then(() => {
      this.#telling = false
      const row = this.row()
      const text = JSON.stringify(row)
      if (text === this.#told) return
      this.#told = text
      this.#parts.tell({ kind: 'account', row })
    })
  }

  tell(told: Told): void {
    this.#parts.tell(told)
  }

  // ---- connection ----

  start(): void {
    if (this.#running) return
    this.#running = true
    if (!this.identity.signedOut) void this.#connect()
  }

  stop(): void {
    this.#running = false
    clearTimeout(this.#timer)
    clearTimeout(this.#pumpTimer)
    for (const timer of this.#gaps.values()) clearTimeout(timer)
    this.#gaps.clear()
    this.#socket?.end()
  }

  /** The network came back, or somebody looks: does not wait any longer, nor trust what was silent. */
  wake(): void {
    if (!this.#running) return
    if (this.#socket) {
      this.#socket.probe()
      return
    }
    if (this.#link.state !== 'waiting' && this.#link.state !== 'offline') return
    this.#tries = 0
    void this.#connect()
  }

  /** The browser says that there is no network. Where the node is on this machine there may be a connection all the same. */
  away(): void {
    if (this.#socket) this.#socket.probe()
    else if (this.#link.state === 'waiting') {
      clearTimeout(this.#timer)
      this.#state({ state: 'offline' })
    }
  }

  /** What is heard cannot be kept: nothing more is taken, or it would count as heard. */
  #broken(error: unknown): void {
    this.stop()
    const why = error instanceof Error ? `${error.name} ${error.message}` : String(error)
    this.#state({ state: 'waiting', retryAt: 0, problem: { code: 'failed', params: { why } } })
  }

  /** Signed in anew, as another device. */
  async renew(identity: Identity): Promise<void> {
    this.#attempt += 1
    const socket = this.#socket
    this.#socket = undefined
    this.#live = false
    socket?.end()
    clearTimeout(this.#timer)
    this.outbox.moved(identity.device)
    this.identity = identity
    await this.outbox.sure()
    this.tell({ kind: 'again', account: this.me, conversation: undefined })
    await this.#parts.keep(identity)
    this.#tries = 0
    if (this.#running) void this.#connect()
  }

  #state(link: LinkState): void {
    this.#link = link
    if (link.state !== 'connecting') for (const end of [...this.#waiters]) end()
    this.#tellAccount()
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#timer)
    if (!this.#running || this.#socket) return
    const attempt = ++this.#attempt
    this.#state({ state: 'connecting' })
    let socket: Socket
    try {
      socket = await Socket.connect(this.#parts.open, this.identity.server)
    } catch (error) {
      if (attempt === this.#attempt) {
        this.#again(error instanceof ApiError ? error : new ApiError('unreachable', { what: hostOf(this.identity.server), why: '' }))
      }
      return
    }
    if (!this.#running || attempt !== this.#attempt) {
      socket.end()
      return
    }
    this.#socket = socket
    this.#live = false
    this.#early = []
    socket.onpush = (answer) => this.#push(answer)
    socket.onend = (why) => this.#ended(socket, why)
    const began = Date.now()
    const hello = socket.ask(helloAsk(), 'welcome')
    const signed = socket.ask({ case: 'resume', value: { token: this.identity.token } }, 'signedIn')
    hello.catch(() => undefined)
    signed.catch(() => undefined)
    this.#sync(socket, signed)
    try {
      this.#took(await hello, began)
      const who = await signed
      this.outbox.atLeast(Number(who.counter))
      if (who.administrator !== this.identity.administrator || who.role !== this.identity.role) {
        this.identity = { ...this.identity, administrator: who.administrator, role: who.role }
        await this.#parts.keep(this.identity)
      }
      if (this.#socket === socket && !this.#live) this.#state({ state: 'syncing' })
    } catch (error) {
      socket.end(error instanceof ApiError ? error : undefined)
    }
  }

  #took(w: pb.Welcome, began: number): void {
    this.#welcome = { ...welcomeRow(w, began), ...(this.#welcome?.navigation && { navigation: this.#welcome.navigation }) }
    this.outbox.frameBytesMax = this.#limits().frameBytesMax
    if (this.#socket) this.#socket.frameBytesMax = this.outbox.frameBytesMax
    this.store.put('meta', this.#welcome, 'welcome')
    this.#tellAccount()
    void this.#letGo(this.#welcome.kept).catch(() => undefined)
    this.#navigate(w.navigationSequence)
  }

  /** The domain says something else of itself than was read last. */
  #navigate(sequence: bigint): void {
    const socket = this.#socket
    if (!socket || !this.#welcome || sequence <= BigInt(this.#welcome.navigation?.sequence ?? 0)) return
    void import('./navigation').then(async ({ navigationOf }) => {
      const navigation = await navigationOf(socket, this.identity.user)
      if (socket !== this.#socket || !this.#welcome || !navigation) return
      const { displayName, registration } = navigation
      this.#welcome = { ...this.#welcome, displayName, registration, navigation }
      this.store.put('meta', this.#welcome, 'welcome')
      this.#tellAccount()
    }).catch(() => undefined) // the connection ended: the next one says it again
  }

  /** What the node keeps no longer is not kept here either. */
  async #letGo(kept: KeptRow | undefined): Promise<void> {
    if (!kept) return
    const done = await this.store.meta<KeptRow>('let-go')
    if (done && done.directBefore === kept.directBefore && done.groupsBefore === kept.groupsBefore) return
    this.outbox.letGo(await this.book.letGo(kept))
    this.store.put('meta', kept, 'let-go')
  }

  #sync(socket: Socket, signed: Promise<unknown>): void {
    socket.askMany({ case: 'sync', value: { cursor: this.#cursor } }, (answer) => {
      if (answer.case === 'syncPage') {
        this.#page(answer.value)
        return !answer.value.last
      }
      if (answer.case === 'error') {
        const { code } = answer.value
        if ((code === 'went-back' || code === 'malformed' || code === 'too-old') && this.#cursor.length > 0) {
          // A cursor that the node cannot read is one of another journal.
          this.#goneBack()
          this.#sync(socket, signed)
        } else {
          // If signing in failed, that is the reason to be told.
          signed.then(() => socket.end(new ApiError(code, answer.value.params)), () => undefined)
        }
      }
      return false
    }, () => undefined)
  }

  #ended(socket: Socket, why: ApiError | undefined): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    this.#live = false
    this.outbox.landed()
    this.#again(why)
  }

  #again(why: ApiError | undefined): void {
    if (!this.#running) {
      this.#state({ state: 'offline' })
      return
    }
    if (why && (why.code === 'token-revoked' || why.code === 'account-disabled')) {
      if (!this.#leaving) void this.signedOut(why, why.code !== 'token-revoked')
      return
    }
    const pause = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** this.#tries) * (0.5 + Math.random())
    this.#tries = Math.min(this.#tries + 1, 10)
    this.#state({ state: 'waiting', retryAt: Date.now() + pause, problem: why && { code: why.code, params: why.params } })
    this.#timer = setTimeout(() => void this.#connect(), pause)
  }

  /** Signs out, from here: what becomes of what is kept is decided here, too. */
  async leave(ask: () => Promise<unknown>): Promise<void> {
    this.#leaving = true
    try {
      await ask()
    } finally {
      this.#leaving = false
    }
    await this.signedOut({ code: 'token-revoked', params: {} }, true)
  }

  /**
   * The device is none any more. What waits to be sent stays for who signs in again. What was read is forgotten unless it
   * is to stay: somebody who ends a device from elsewhere may have lost it.
   */
  async signedOut(why: Problem, stays: boolean): Promise<void> {
    this.#attempt += 1
    this.identity = { ...this.identity, token: new Uint8Array(), signedOut: why }
    if (!stays) {
      this.#cursor = new Uint8Array()
      this.#synced = false
      this.book.forget()
      this.outbox.forgetAllSaid()
      this.calls.forgetMarks()
      this.store.remove('meta', 'cursor')
    }
    const problem = { code: why.code, params: why.params }
    this.identity = { ...this.identity, signedOut: problem }
    this.#socket?.end()
    clearTimeout(this.#timer)
    await this.store.sure().catch(() => undefined)
    await this.#parts.keep(this.identity)
    this.#state({ state: 'signed-out', problem })
  }

  /** Asks the node, if there is a connection. */
  askNow: Socket['ask'] = (frame, answer) =>
    this.#socket && (this.#live || this.#link.state === 'syncing')
      ? this.#socket.ask(frame, answer)
      : Promise.reject(new ApiError('offline'))

  /** Asks the node; while a connection is being made, waits for it. */
  ask: Socket['ask'] = async (frame, answer) => {
    if (this.#link.state === 'connecting') await this.#made()
    return this.askNow(frame, answer)
  }

  /** Ends when the connection that is being made is there, or is not to be had, or takes too long. */
  #made(): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(patience)
        this.#waiters.delete(end)
        resolve()
      }
      const patience = setTimeout(end, MADE_MS)
      this.#waiters.add(end)
    })
  }

  // ---- what is heard ----

  #page(page: pb.SyncPage): void {
    if (page.wentBack && !this.#wentBack) this.#goneBack()
    if (page.me) this.book.takeProfile(profileRow(page.me))
    if (page.own) this.book.takeOwn(ownRow(page.own))
    this.book.takePersons(page.people.map(personRow))
    for (const conversation of page.conversations) {
      this.book.synced(conversation)
      this.#placedIn(conversation)
      if (conversation.conversation?.group) this.#gapSoon(String(conversation.conversation.conversation))
    }
    for (const list of page.stale) if (list !== 'stickers') this.#laterMoved(list as LaterList)
    if (!page.last) return
    this.#live = true
    this.#tries = 0
    const early = this.#early
    this.#early = []
    for (const pushed of early) this.#happened(pushed)
    void this.#through(page.cursor)
  }

  async #through(cursor: Uint8Array): Promise<void> {
    const socket = this.#socket
    await this.book.settled()
    if (this.#wentBack) {
      try {
        const { offerAgain } = await import('./restored') // rarely needed
        const shown = await offerAgain({ book: this.book, outbox: this.outbox, ask: this.askNow, blank: (id, content) => this.calls.blank(id, content) })
        for (const row of shown) this.show(row)
      } catch (error) {
        // The next sync is one from zero again, as the cursor is the old one.
        socket?.end(error instanceof ApiError ? error : undefined)
        return
      }
      this.#wentBack = false
      await this.book.settled()
      this.book.tellAll()
    }
    if (!this.#live) return
    if (cursor.length > 0) this.#keepCursor(cursor)
    this.#synced = true
    this.#state({ state: 'online' })
    await this.#resolveDoubts()
    this.calls.resume()
    this.pump()
  }

  #keepCursor(cursor: Uint8Array): void {
    this.#cursor = cursor
    this.store.put('meta', cursor, 'cursor')
  }

  /** What this device had on the way and the page has. */
  #placedIn(page: pb.ConversationPage): void {
    if (!page.conversation) return
    const id = String(page.conversation.conversation)
    for (const m of [...page.messages, ...page.changed]) this.#mine(id, m)
    const waiting = new Set(page.waiting.filter((m) => String(m.device) === this.identity.device).map((m) => Number(m.counter)))
    for (const m of page.waiting) this.#waits(id, m)
    for (const order of this.outbox.waiting()) {
      if (order.conversation !== id || waiting.has(order.counter)) continue
      const doubts = this.#doubts.get(id) ?? new Set()
      this.#doubts.set(id, doubts.add(order.counter))
    }
  }

  /** One of this device's own that was pending or waiting. */
  #mine(id: string, m: pb.Message): void {
    if (String(m.device) !== this.identity.device || m.counter === 0n) return
    const counter = Number(m.counter)
    const order = this.outbox.get(counter)
    if (!order || (order.state === 'pending' && order.kind !== 'send')) return
    if (order.state === 'waiting') this.outbox.recorded(counter, messageRow(m, id, this.me))
    else {
      const sent = { conversation: BigInt(id), sequence: m.sequence, id: m.id, timeMs: m.timeMs }
      this.outbox.sent(counter, sent as pb.Sent)
    }
    this.#tellAccount()
  }

  /** Of this account, waiting for the home of a group; from another device it is shown until it has its place. */
  #waits(id: string, m: pb.Message): void {
    if (String(m.device) === this.identity.device) return
    const row = messageRow(m, id, this.me)
    this.tell({ kind: 'messages', account: this.me, rows: [{ ...row, own: 'waiting' }], fresh: true })
  }

  #push(answer: Answer): void {
    switch (answer.case) {
      case 'pushed':
        if (this.#live) this.#happened(answer.value)
        else this.#early.push(answer.value)
        break
      case 'cursor': {
        if (!this.#live || this.#wentBack) break
        const { cursor } = answer.value
        void this.book.settled().then(() => {
          if (this.#live && !this.#wentBack) this.#keepCursor(cursor)
        })
        break
      }
      case 'typingNow': {
        const { conversation, user, typing } = answer.value
        this.tell({ kind: 'typing', account: this.me, conversation: String(conversation), user, typing })
        break
      }
      case 'kept':
        if (!this.#welcome) break
        this.#welcome = { ...this.#welcome, kept: keptRow(answer.value) }
        this.store.put('meta', this.#welcome, 'welcome')
        this.#tellAccount()
        void this.#letGo(this.#welcome.kept).catch(() => undefined)
        break
      case 'navigationChanged':
        this.#navigate(answer.value.sequence)
        break
      case 'presence':
        this.tell({ kind: 'presence', account: this.me, user: answer.value.user, state: answer.value.state, text: answer.value.text })
        break
      default:
    }
  }

  #happened(pushed: pb.Pushed): void {
    const id = String(pushed.conversation)
    const { what } = pushed
    switch (what.case) {
      case 'message':
        this.#mine(id, what.value)
        if (this.book.pushed(id, what.value)) this.#gapSoon(id)
        if (what.value.author !== this.me) void this.book.settled().then(() => this.calls.arrived(id), () => undefined)
        break
      case 'changed':
        if (this.book.changed(id, what.value, Number(pushed.record))) this.#gapSoon(id)
        break
      case 'marks':
        this.book.marks(id, what.value)
        break
      case 'info':
        this.book.overview(what.value)
        this.#gapSoon(id)
        break
      case 'profile':
        this.book.takeProfile(profileRow(what.value))
        if (what.value.user === this.me) this.#tellAccount()
        break
      case 'deviceRevoked':
        if (String(what.value.device) === this.identity.device) this.#socket?.end(new ApiError('token-revoked'))
        break
      case 'waiting':
        this.#waits(id, what.value)
        break
      case 'ended': {
        const { device, counter, code } = what.value
        if (String(device) === this.identity.device) {
          const row = this.outbox.failed(Number(counter), { code, params: {} })
          if (row) this.show(row)
        } else {
          this.tell({ kind: 'forgotten', account: this.me, conversation: id, key: ownKey(String(device), Number(counter)) })
        }
        break
      }
      case 'played':
        void this.book.played(id, what.value.sequences.map(Number))
        break
      case 'stickers':
        this.tell({ kind: 'stickers', account: this.me })
        break
      case 'person':
        this.book.takePersons([personRow(what.value)])
        break
      case 'own':
        this.book.takeOwn(ownRow(what.value))
        break
      case 'scheduled':
      case 'scheduledEnded':
        this.#laterMoved('scheduled')
        break
      case 'reminder':
      case 'reminderEnded':
        this.#laterMoved('reminders')
        break
      case 'saved':
      case 'savedRemoved':
        this.#laterMoved('saved')
        break
      case 'groupInvitation':
        this.tell({ kind: 'invitation', account: this.me, row: invitationRow(what.value) })
        break
      default:
    }
  }

  #laterMoved(list: LaterList): void {
    this.tell({ kind: 'later', account: this.me, list })
  }

  /** Shows a message of the outbox as it is now. */
  show(row: MessageRow): void {
    this.book.newest(row.conversation, row)
    this.tell({ kind: 'messages', account: this.me, rows: [row], fresh: true })
    this.#tellAccount()
  }

  #gapSoon(id: string): void {
    if (this.#gaps.has(id)) return
    this.#gaps.set(id, setTimeout(() => {
      this.#gaps.delete(id)
      void this.#fill(id).catch(() => undefined)
    }, GAP_MS))
  }

  async #fill(id: string): Promise<void> {
    const hole = this.book.hole(id)
    if (!hole || !this.#live) return
    const [first, last] = hole
    if (last - first >= GAP_MAX) {
      // One in the middle is filled when somebody looks there; at the end what is shown as the newest is not.
      if (last >= (this.book.get(id)?.head ?? 0)) this.tell({ kind: 'again', account: this.me, conversation: id })
      return
    }
    const page = await this.ask(
      { case: 'history', value: { conversation: BigInt(id), after: BigInt(first - 1), limit: GAP_MAX } }, 'page',
    )
    this.book.paged(id, page)
    const left = this.book.hole(id)
    if (left && left[0] !== first) this.#gapSoon(id)
  }

  // ---- what is said ----

  /** Sends what waits, in order, as far as the node takes it. */
  pump(): void {
    const socket = this.#socket
    if (!socket || !this.#live || this.#wentBack || this.#link.state !== 'online') return
    const now = Date.now()
    if (now < this.#pumpAt) {
      clearTimeout(this.#pumpTimer)
      this.#pumpTimer = setTimeout(() => this.pump(), this.#pumpAt - now)
      return
    }
    const room = Math.max(0, this.#window() - this.outbox.flying)
    for (const order of this.outbox.due().slice(0, room)) {
      if (!this.outbox.fits(order.frame)) {
        this.#refused(order.counter, new ApiError('too-large', tooLarge(order.frame, this.outbox.frameBytesMax)))
        continue
      }
      this.outbox.fly(order.counter)
      socket.askKept(order.frame, 'sent').then(
        (sent) => this.#sent(order.counter, sent),
        (error: unknown) => this.#refused(order.counter, error instanceof ApiError ? error : new ApiError('internal')),
      )
    }
  }

  #limits(): { frameBytesMax: number; outstandingMax: number } {
    return limits(this.#welcome)
  }

  #window(): number {
    return Math.max(1, this.#limits().outstandingMax >> 1) // what people ask in between finds room
  }

  #sent(counter: number, sent: pb.Sent): void {
    const order = this.outbox.get(counter)
    const row = this.outbox.sent(counter, sent)
    const id = String(sent.conversation)
    if (row) {
      if (row.sequence > 0 && this.book.placed(id, row)) this.#gapSoon(id)
      if (row.sequence === 0) this.show(row)
    } else if (sent.sequence !== 0n) {
      this.#gapSoon(id) // an edit or a recall took a number; what it changed is pushed
    }
    if (order?.kind === 'recall') {
      const ask = readAsk(order.frame)
      if (ask.case === 'recall') this.outbox.recalled(order.conversation, Number(ask.value.sequence))
    }
    this.#tellAccount()
    this.pump()
  }

  #refused(counter: number, error: ApiError): void {
    this.outbox.landed(counter)
    if (LATER.has(error.code)) {
      const seconds = Number(error.params['seconds'] ?? 2)
      if (error.code !== 'offline') this.#pumpAt = Date.now() + Math.max(1, Math.min(60, seconds || 2)) * 1000
      this.pump()
      return
    }
    const row = this.outbox.failed(counter, error, error.code === 'too-old' ? 'unconfirmed' : 'failed')
    if (row) this.show(row)
    this.#tellAccount()
    this.pump()
  }

  // ---- a node that went back in time (docs/client-protocol.md §4) ----

  #goneBack(): void {
    this.#wentBack = true
    this.#cursor = new Uint8Array() // the kept one stays until the search is through
    this.#doubts.clear()
    this.book.clear()
    this.calls.forgetMarks()
    for (const order of this.outbox.waiting()) this.outbox.failed(order.counter, { code: 'went-back', params: {} }, 'unconfirmed')
  }

  /** What waited for a group's home, and does not any more: it is among the messages, or it will not come. */
  async #resolveDoubts(): Promise<void> {
    const doubts = this.#doubts
    this.#doubts = new Map()
    for (const [id, counters] of doubts) {
      await this.#fill(id).catch(() => undefined)
      for (const counter of counters) {
        if (this.outbox.get(counter)?.state !== 'waiting') continue
        const key = ownKey(this.identity.device, counter)
        const rows = await this.store.lastMessages(id, 1, Number.MAX_SAFE_INTEGER, 500)
        const there = rows.find((r) => r.key === key)
        if (there) {
          this.outbox.recorded(counter, there)
          continue
        }
        const row = this.outbox.failed(counter, { code: 'expired', params: { what: '' } }, 'unconfirmed')
        if (row) this.show(row)
      }
    }
  }
}

export function helloAsk(): Ask {
  const language = typeof navigator === 'undefined' ? 'en' : navigator.language
  return { case: 'hello', value: { versionMin: 1, versionMax: 1, client: 'startalk-web', language } }
}

/** `began`: when the hello was sent. */
export function welcomeRow(w: pb.Welcome, began: number): Welcome {
  return {
    version: w.version,
    domain: w.domain,
    displayName: w.displayName,
    registration: w.registration,
    features: w.features,
    recallWindowMs: Number(w.recallWindowMs),
    editWindowMs: Number(w.editWindowMs),
    frameBytesMax: w.frameBytesMax,
    outstandingMax: w.outstandingMax,
    aheadMs: Number(w.timeMs) - Math.round((began + Date.now()) / 2),
    kept: keptRow(w.kept),
    previews: w.linkPreviews,
  }
}
