// What the worker tells the tabs, and what the tabs ask of it. Plain objects that the structured clone copies: numbers for
// sequences and times (ms since 1970), strings for conversations and ids, bytes for contents (content.Content).
//
// The worker owns protocol, sync, outbox and what is kept; a tab has a `Sdk` (connect.ts) and reads what it is told.
// No rule of the domain is here: the node decides, an error is what it said, as a code with parameters.

/** name@domain: also what an account is called here. */
export type User = string
/** The account's own number of a conversation, in decimal. */
export type ConversationId = string

export interface Problem {
  readonly code: string
  readonly params: Readonly<Record<string, string>>
}

export class ApiError extends Error implements Problem {
  readonly code: string
  readonly params: Readonly<Record<string, string>>
  constructor(code: string, params: Readonly<Record<string, string>> = {}) {
    super(code)
    this.code = code
    this.params = params
  }
}

/** How an account stands with its node. */
export type LinkState =
  | { readonly state: 'online' | 'connecting' | 'syncing' | 'offline' }
  | { readonly state: 'waiting'; readonly retryAt: number; readonly problem?: Problem | undefined }
  /** The device is signed out, or the account is gone; what was read stays until it is forgotten. */
  | { readonly state: 'signed-out'; readonly problem: Problem }

/** What the node says of itself when one connects. */
export interface Welcome {
  readonly version: number
  readonly domain: string
  readonly displayName: string
  readonly registration: string
  readonly features: readonly string[]
  readonly recallWindowMs: number
  readonly editWindowMs: number
  /** Bytes of one frame, in either direction. */
  readonly frameBytesMax: number
  /** Commands that may be without an answer at once. */
  readonly outstandingMax: number
  /** What the node's clock is ahead of this one. */
  readonly aheadMs: number
  /** For how long it keeps messages; undefined: it has not said. */
  readonly kept?: KeptRow
  /** The node may look at pages that one links to, and make cards of them. */
  readonly previews?: boolean
  /** What the domain's signed record says; undefined: it was not read yet. */
  readonly navigation?: NavigationRow
}

/** What a domain says of itself to its clients. */
export interface NavigationRow {
  readonly sequence: string
  readonly displayName: string
  readonly registration: string
  readonly description: string
  /** #rrggbb, or empty. */
  readonly colour: string
  /** Bytes of a file at most; 0: not said. */
  readonly fileBytesMax: number
  readonly groupMembersMax: number
  /** Days after which an account ends here; 0: it does not. */
  readonly trialDays: number
}

/** For how long messages are kept, by kind of conversation, in milliseconds; 0: for ever. And before when everything is gone. */
export interface KeptRow {
  readonly directMs: number
  readonly groupsMs: number
  readonly directBefore: number
  readonly groupsBefore: number
}

export interface AccountRow {
  readonly user: User
  /** wss://…/v1/ws */
  readonly server: string
  readonly device: string
  readonly administrator: boolean
  /** "administrator", "auditor" or empty. */
  readonly role: string
  readonly link: LinkState
  readonly welcome: Welcome | undefined
  readonly me: ProfileRow
  /** Commands that wait to be taken by the node. */
  readonly outbox: number
  /** Whether the list of conversations is whole. */
  readonly synced: boolean
  /** Messages unread in conversations that are not muted. */
  readonly unread: number
}

export interface ProfileRow {
  readonly user: User
  readonly displayName: string
  readonly avatar: string
  readonly signature: string
  readonly revision: number
}

export interface PeerRow {
  readonly user: User
  readonly displayName: string
  readonly delivered: number
  readonly read: number
  readonly gone: boolean
}

export type Who = 'members' | 'administrators' | 'owner'
export interface RightsRow {
  readonly post: Who
  readonly add: Who
  readonly atAll: Who
  readonly pin: Who
  readonly texts: Who
  readonly joining: 'invitation' | 'approval' | 'closed'
}

export type Role = 'owner' | 'administrator' | 'member'
export type Standing =
  | 'member' | 'joining' | 'asked' | 'leaving' | 'left' | 'removed' | 'banned' | 'refused' | 'destroyed' | 'suspect' | 'renewed'

export interface GroupRow {
  readonly group: string
  readonly home: string
  readonly name: string
  readonly notice: string
  readonly description: string
  readonly avatar: string
  readonly members: number
  readonly rights: RightsRow
  readonly role: Role
  readonly standing: Standing
  /** Below it nothing is one's own to read. */
  readonly first: number
  readonly mutedUntilMs: number
  readonly asked: number
}

export interface ConversationRow {
  readonly id: ConversationId
  /** One of the two. */
  readonly peer: PeerRow | undefined
  readonly group: GroupRow | undefined
  readonly head: number
  readonly delivered: number
  readonly read: number
  readonly request: boolean
  readonly blocked: boolean
  readonly time: number
  readonly mutedUntilMs: number
  readonly mentionsOnly: boolean
  /** Above all others in the list. */
  readonly pinned: boolean
  /** Not in the list while `head` is below; 0: in it. */
  readonly hiddenUntil: number
  /** To be come back to, though everything is read. */
  readonly markedUnread: boolean
  /** Messages by others after `read`. */
  readonly unread: number
  /** One of them calls me, or everybody. */
  readonly mentioned: boolean
  /** The newest that is known, own ones that wait included. */
  readonly last: MessageRow | undefined
  /** What is typed and not sent; see `AccountCalls.draft`. */
  readonly draft: string
}

/**
 * How an own message stands. `pending`: not taken by the node yet; `waiting`: taken, its group's home has not recorded it;
 * `taken`: it has its sequence (marks tell whether it was delivered and read); `unconfirmed`: nobody can tell any more
 * whether it was taken; `failed`: it was not, see `problem`.
 */
export type OwnState = 'pending' | 'waiting' | 'taken' | 'unconfirmed' | 'failed'

export interface ReactionRow {
  readonly emoji: string
  readonly count: number
  readonly mine: boolean
  readonly users: readonly User[]
}

export interface MessageRow {
  /** The same from the moment it is sent until it is forgotten. */
  readonly key: string
  readonly conversation: ConversationId
  /** 0: none yet. */
  readonly sequence: number
  /** 32 hexadecimal digits; empty for lines and what waits. */
  readonly id: string
  /** Empty: the account is gone. */
  readonly author: User
  /** Arrival here; of what is not taken yet, when it was written. */
  readonly time: number
  /** The author's, where it differs; else 0. */
  readonly sentTime: number
  /** content.Content; empty if it was recalled or erased. */
  readonly content: Uint8Array
  /** Id or sequence of what it answers. */
  readonly replyTo: string
  readonly replySequence: number
  readonly editedTime: number
  readonly recalled: boolean
  /** What it said is kept no longer. */
  readonly expired?: boolean
  /** It was opened, and its time is over. */
  readonly burnt?: boolean
  /** It was opened, and burns then, by the node's clock; missing: it was not, or does not burn. */
  readonly burnAt?: number
  /** This account has listened to it. */
  readonly played?: boolean
  readonly reactions: readonly ReactionRow[]
  readonly pinned: boolean
  /** Of own messages. */
  readonly own: OwnState | undefined
  readonly problem: Problem | undefined
  /** The outbox's number while it is there: for `retry` and `discard`. */
  readonly counter: number
}

/** base: https://host; token: of the device, 32 bytes. */
export interface FileAccessRow { readonly base: string; readonly device: string; readonly token: Uint8Array }

/** A sticker of one's own; content: content.Sticker. */
export interface StickerRow { readonly number: string; readonly content: Uint8Array }
/** Out of a message, of a file of one's own (content.Sticker), or away. */
export type StickerChange =
  | { readonly change: 'message'; readonly conversation: ConversationId; readonly sequence: number }
  | { readonly change: 'add'; readonly content: Uint8Array }
  | { readonly change: 'remove'; readonly number: string }

/** A stretch of a conversation, ascending. */
export interface Stretch {
  readonly messages: readonly MessageRow[]
  /** The numbers that were looked at. */
  readonly first: number
  readonly last: number
  readonly atStart: boolean
  readonly atEnd: boolean
}

/** Which stretch is asked for. At most `limit` messages (50 unless told). */
export type Place =
  | { readonly at: 'latest' }
  | { readonly at: 'before' | 'after' | 'around'; readonly sequence: number }

/** How the account is told while nobody looks, on all devices; times in minutes of the day, where the clock is `offsetMin` ahead of UTC. */
export interface NotifySettings {
  readonly hidden: boolean
  readonly quiet: boolean
  readonly quietFromMin: number
  readonly quietUntilMin: number
  readonly offsetMin: number
  readonly quietCalls: boolean
  readonly keywords: readonly string[]
}
/** key: the node's for push services; empty: it does not push. endpoint: where this device is reached; empty: nowhere. */
export interface NotifyRow { readonly settings: NotifySettings; readonly key: Uint8Array; readonly endpoint: string }

/** What one keeps about somebody; with neither it is nothing. */
export interface PersonRow { readonly user: User; readonly remark: string; readonly starred: boolean }

/** Said by hand, on all devices. state: 'online' … 'offline' (seems so), or empty: as the program sees it; untilMs: 0: until it is changed. */
export interface Availability { readonly state: string; readonly untilMs: number; readonly text: string }
/** days: a sum of 1 Monday … 64 Sunday; minutes of the day, until at most 1440, or not after from: of the next day. */
export interface Span { readonly days: number; readonly fromMin: number; readonly untilMin: number }
/** Weekly hours in which one is not to be disturbed, by the clock of a place ("Europe/Berlin"). */
export interface Schedule { readonly zone: string; readonly spans: readonly Span[] }
export interface AutoReply { readonly text: string; readonly whenDnd: boolean; readonly whenAway: boolean; readonly whenScheduled: boolean }
/** firstContact: 'anyone', 'ask', 'question', 'nobody', or empty; presence, lastSeen: 'everyone', 'domain', 'nobody', or empty: everyone. */
export interface Openness { readonly firstContact: string; readonly question: string; readonly answer: string; readonly presence: string; readonly lastSeen: string }
/** What an account has said of itself. */
export interface OwnRow { readonly availability: Availability; readonly schedule: Schedule; readonly reply: AutoReply; readonly openness: Openness; /** The account ends then by itself; 0 or undefined: it does not. */ readonly endsMs?: number }
/** How somebody is there. seenMs: of who is offline; 0: not known, or not told. */
export interface PresenceRow { readonly state: string; readonly text: string; readonly seenMs: number }
/** question: what they ask of who writes to them first. */
export interface CardRow { readonly profile: ProfileRow; readonly presence: PresenceRow | undefined; readonly question: string }

/** A way to sign in besides a password: "oidc", "passkey" …, as the domain's record names them. */
export interface SignInWayRow { readonly kind: string; readonly id: string; readonly displayName: string }
export interface House { readonly domain: string; readonly displayName: string; readonly registration: string; readonly signIn: readonly SignInWayRow[] }
/** options: JSON for `navigator.credentials`. */
export interface PasskeyBegun { readonly ceremony: string; readonly options: string }
/** usedMs: 0: never. suspect: it counted backwards, as a copy would. */
export interface PasskeyRow { readonly id: string; readonly name: string; readonly addedMs: number; readonly usedMs: number; readonly suspect: boolean }
/** provider: its name; empty if the domain does not have it any more. */
export interface IdentityRow { readonly id: string; readonly provider: string; readonly label: string; readonly linkedMs: number }
export interface WaysRow {
  readonly hasPassword: boolean
  readonly identities: readonly IdentityRow[]
  readonly passkeys: readonly PasskeyRow[]
  readonly providers: readonly { readonly id: string; readonly displayName: string }[]
  readonly passkeysPossible: boolean
}

export interface DeviceRow { readonly id: string; readonly name: string; readonly addedMs: number; readonly seenMs: number; readonly here: boolean }
export interface InvitationRow { readonly link: string; readonly notAfterMs: number; readonly uses: number }
export interface GroupMemberRow { readonly user: User; readonly displayName: string; readonly role: Role; readonly mutedUntilMs: number; readonly word: string }
/** next: 0: no more. */
export interface MembersRow { readonly members: readonly GroupMemberRow[]; readonly next: number; readonly count: number }
export interface GroupLinkRow { readonly link: string; readonly maker: User; readonly uses: number; readonly used: number; readonly notAfterMs: number }
export interface GroupInvitationRow { readonly group: string; readonly home: string; readonly name: string; readonly inviter: User; readonly timeMs: number }
export interface ReadersRow { readonly count: number; readonly of: number; readonly users: readonly User[] }

export type Act =
  | { readonly kind: 'add'; readonly user: User }
  | { readonly kind: 'remove'; readonly user: User }
  | { readonly kind: 'ban'; readonly user: string; readonly lift: boolean }
  | { readonly kind: 'role'; readonly user: User; readonly role: Role }
  | { readonly kind: 'mute'; readonly user: User; readonly untilMs: number }
  | { readonly kind: 'text'; readonly text: 'name' | 'notice' | 'description' | 'avatar'; readonly value: string }
  | { readonly kind: 'rights'; readonly rights: RightsRow }
  | { readonly kind: 'revokeLink'; readonly link: string }
  | { readonly kind: 'admit'; readonly user: User; readonly refuse: boolean }
  | { readonly kind: 'react'; readonly sequence: number; readonly emoji: string; readonly remove: boolean }
  | { readonly kind: 'pin'; readonly sequence: number; readonly remove: boolean }
  | { readonly kind: 'leave' }
  | { readonly kind: 'destroy' }

/** `waiting`: the group's home is another domain and has not recorded it yet. */
export interface Acted { readonly conversation: ConversationId; readonly waiting: boolean }

export interface Draft {
  readonly typed: string
  readonly mentions: readonly (readonly [string, string])[]
  readonly answers?: number | undefined
  readonly edits?: number | undefined
}

export interface SendOrder {
  /** Made by the caller, never used twice: the same order again is the same message. */
  readonly ticket: string
  readonly conversation: ConversationId
  readonly content: Uint8Array
  /** Id of the message answered, and in a group its number. */
  readonly replyTo?: string | undefined
  readonly replySequence?: number | undefined
}

/** Where something was found: the first character and how many, in Unicode characters of the text that it is given with. */
export type RangeRow = readonly [first: number, count: number]
export type FoundSort = 'people' | 'groups' | 'messages'
export type FoundKind = 'text' | 'code' | 'link' | 'other'

export interface SearchOrder {
  /** As typed: words, and filters such as `from:ann kind:code`; docs/client-protocol.md §7 has them. */
  readonly query: string
  /** All unless told. */
  readonly sorts?: readonly FoundSort[] | undefined
  /** Messages of it alone, and of people its members. */
  readonly conversation?: ConversationId | undefined
  readonly from?: User | undefined
  readonly kind?: FoundKind | undefined
  /** Not before, and before. */
  readonly afterMs?: number | undefined
  readonly beforeMs?: number | undefined
  /** Of each sort. */
  readonly limit?: number | undefined
  /** Of what was found before: the messages after those. */
  readonly next?: Uint8Array | undefined
}

/** `ranges` are of the display name, or of the address if there is none. */
export interface FoundPersonRow { readonly user: User; readonly displayName: string; readonly ranges: readonly RangeRow[]; readonly conversation: ConversationId | undefined }
export interface FoundGroupRow { readonly conversation: ConversationId; readonly name: string; readonly ranges: readonly RangeRow[]; readonly members: number }
/** `text`: the part that shows why, with more before and after it. */
export interface FoundMessageRow {
  readonly conversation: ConversationId
  readonly sequence: number
  /** Empty: the account is gone. */
  readonly author: User
  readonly time: number
  readonly text: string
  readonly ranges: readonly RangeRow[]
  readonly moreBefore: boolean
  readonly moreAfter: boolean
}
export interface FoundRow {
  /** The best first. */
  readonly people: readonly FoundPersonRow[]
  readonly groups: readonly FoundGroupRow[]
  /** The newest first. */
  readonly messages: readonly FoundMessageRow[]
  /** undefined: there are no more messages. */
  readonly next: Uint8Array | undefined
  /** The node is making its index: what was found may lack something. Percent of what is there. */
  readonly building: number | undefined
}

/** What an account can be asked. A promise ends with the answer, or throws `ApiError`. */
export interface AccountCalls {
  /** Ends when it is kept: from then on it goes, once, whatever happens to tabs and connection. */
  send(order: SendOrder): Promise<MessageRow>
  edit(conversation: ConversationId, sequence: number, content: Uint8Array): Promise<void>
  recall(conversation: ConversationId, sequence: number): Promise<void>
  /** Sends a failed one again. What is `unconfirmed` goes as a new message. */
  retry(counter: number): Promise<void>
  /** Forgets a failed or unconfirmed one. */
  discard(counter: number): Promise<void>
  stretch(conversation: ConversationId, place: Place, limit?: number): Promise<Stretch>
  /** One message, by its id or its sequence; undefined: it is not in the conversation, or not near. */
  message(conversation: ConversationId, by: { readonly id?: string; readonly sequence?: number }): Promise<MessageRow | undefined>
  markRead(conversation: ConversationId, sequence: number): Promise<void>
  typing(conversation: ConversationId, typing: boolean): Promise<void>
  /** Of the conversation with a person (name@domain) or of a group (its id): what is typed is theirs, whatever number the conversation has. */
  draft(address: string): Promise<Draft | undefined>
  keepDraft(address: string, draft: Draft | undefined): Promise<void>
  silence(conversation: ConversationId, untilMs: number, mentionsOnly: boolean): Promise<void>
  decide(conversation: ConversationId, accept: boolean): Promise<void>
  /** Where a conversation stands in the list, on all devices; what is not said stays as it is. */
  arrange(conversation: ConversationId, change: { readonly pinned?: boolean; readonly hidden?: boolean; readonly unread?: boolean }): Promise<void>
  keepPerson(user: User, change: { readonly remark?: string; readonly starred?: boolean }): Promise<void>
  setAvailability(said: Availability): Promise<void>
  setSchedule(schedule: Schedule): Promise<void>
  setAutoReply(reply: AutoReply): Promise<void>
  setOpenness(openness: Openness): Promise<void>
  card(user: User): Promise<CardRow>
  open(user: User): Promise<ConversationId>
  block(user: string, blocked: boolean): Promise<void>
  blocked(): Promise<readonly string[]>
  /**
   * Only what one may see. Not of what is kept here: without a connection it ends with `offline`. Ended by its signal it ends
   * with `cancelled`; one that was not on its way yet is not sent.
   */
  search(order: SearchOrder, signal?: AbortSignal): Promise<FoundRow>
  profile(user: User): Promise<ProfileRow>
  setProfile(displayName: string, avatar: string, signature: string): Promise<void>
  setPresence(state: string): Promise<void>
  notify(): Promise<NotifyRow>
  setNotify(settings: NotifySettings): Promise<void>
  /** A push service reaches this device from now on. */
  subscribePush(endpoint: string, p256dh: Uint8Array, auth: Uint8Array): Promise<void>
  unsubscribePush(): Promise<void>
  devices(): Promise<readonly DeviceRow[]>
  revokeDevice(id: string): Promise<void>
  /** The ways into the account. */
  ways(): Promise<WaysRow>
  /** Where the person goes, to link whom a provider names; challenge: SHA-256 of what this window keeps. */
  beginLink(provider: string, challenge: Uint8Array): Promise<string>
  finishLink(ticket: string, verifier: Uint8Array): Promise<void>
  unlink(id: string): Promise<void>
  newPasskey(): Promise<PasskeyBegun>
  addPasskey(ceremony: string, credential: string, name: string): Promise<void>
  removePasskey(id: string): Promise<void>
  changePassword(old: string, next: string): Promise<void>
  newRecoveryCodes(password: string): Promise<readonly string[]>
  /** A link to the domain; whoever comes with it is brought into these groups, which are kept here. */
  invite(uses: number, validMs: number, groups?: readonly ConversationId[]): Promise<InvitationRow>
  deleteAccount(password: string, erase: boolean): Promise<void>
  /** How the node's files are asked for over HTTP (docs/client-protocol.md). Error `not-signed-in`. */
  fileAccess(): Promise<FileAccessRow>
  /** Messages of a conversation that hold one of `kinds` (a sum of 1 pictures, 2 videos, 4 voice, 8 files, 16 links), the newest first, with numbers below `before` (0: all). */
  filesIn(conversation: ConversationId, kinds: number, before: number): Promise<{ readonly messages: readonly MessageRow[]; readonly whole: boolean }>
  /** One has opened a message that burns: its time runs from now on. */
  openBurning(conversation: ConversationId, sequence: number): Promise<void>
  /** One has listened to these; told to one's own devices alone. */
  markPlayed(conversation: ConversationId, sequences: readonly number[]): Promise<void>
  /** One's own stickers, in their order. */
  stickers(): Promise<readonly StickerRow[]>
  changeStickers(change: StickerChange): Promise<void>
  /** What is said later, kept for later, or told of later. */
  later<K extends keyof Later>(what: K, ...args: Parameters<Later[K]>): Promise<Awaited<ReturnType<Later[K]>>>
  /** Asks the administration of the domain (docs/admin-api.md); `path` begins after /api/admin/v1. undefined: no content. */
  administer(method: string, path: string, body?: unknown): Promise<unknown>
  /** forget: also what is kept here. */
  signOut(forget: boolean): Promise<void>
  reconnect(): Promise<void>

  createGroup(name: string, members: readonly User[]): Promise<Acted>
  act(conversation: ConversationId, act: Act): Promise<Acted>
  makeLink(conversation: ConversationId, uses: number, validMs: number): Promise<InvitationRow>
  links(conversation: ConversationId): Promise<readonly GroupLinkRow[]>
  members(conversation: ConversationId, from: number, limit: number, asked: boolean): Promise<MembersRow>
  pins(conversation: ConversationId): Promise<readonly MessageRow[]>
  readers(conversation: ConversationId, sequence: number): Promise<ReadersRow>
  join(link: string, word: string): Promise<Acted>
  groupInvitations(): Promise<readonly GroupInvitationRow[]>
  /** undefined: declined. */
  decideInvitation(group: string, accept: boolean): Promise<Acted | undefined>
}

/** Waits to be said at its time; `failed`: the code of the error for which it could not be, empty: it waits. */
export interface LaterScheduled {
  readonly number: string
  /** "0": with `to`, as there is no conversation yet. */
  readonly conversation: ConversationId
  readonly to: User
  readonly content: Uint8Array
  readonly atMs: number
  readonly failed: string
}
/** Of a message, or (conversation "0") of the note alone. `due`: its time has come, and it is not done yet. */
export interface LaterReminder {
  readonly number: string
  readonly conversation: ConversationId
  readonly sequence: number
  readonly atMs: number
  readonly note: string
  readonly due: boolean
  readonly message: MessageRow | undefined
}
export interface LaterSaved {
  readonly number: string
  readonly conversation: ConversationId
  readonly sequence: number
  readonly savedMs: number
  readonly note: string
  /** "here", or why there is no message: "recalled", "burnt", "expired", "deleted", "unreadable". */
  readonly state: string
  readonly message: MessageRow | undefined
}
export type LaterList = 'scheduled' | 'reminders' | 'saved'
/** All of it needs a connection. */
export interface Later {
  /** key: 16 bytes; the same again is scheduled once. */
  schedule(order: {
    readonly conversation: ConversationId; readonly content: Uint8Array; readonly atMs: number; readonly key: Uint8Array
    readonly replyTo?: string | undefined; readonly replySequence?: number | undefined
  }): Promise<void>
  changeScheduled(number: string, change: { readonly atMs?: number; readonly content?: Uint8Array }): Promise<void>
  cancelScheduled(number: string): Promise<void>
  sendScheduled(number: string): Promise<void>
  /** The soonest first. */
  scheduled(): Promise<readonly LaterScheduled[]>
  remind(order: { readonly number?: string; readonly conversation: ConversationId; readonly sequence: number; readonly atMs: number; readonly note: string }): Promise<void>
  endReminder(number: string): Promise<void>
  reminders(): Promise<readonly LaterReminder[]>
  save(conversation: ConversationId, sequence: number, note: string): Promise<void>
  removeSaved(number: string): Promise<void>
  /** The newest first, with numbers below `before`; "0": from the newest. next "0": there is no more. */
  saved(before: string): Promise<{ readonly saved: readonly LaterSaved[]; readonly next: string; readonly count: number }>
}

/** The steps of finding a domain and getting in, each told as it begins and ends. */
export type StepName = 'name' | 'wellKnown' | 'record' | 'socket' | 'hello' | 'signIn' | 'sync'
export interface Step {
  readonly step: StepName
  readonly state: 'now' | 'done' | 'failed'
  readonly what: string
  readonly error?: Problem | undefined
}

export type Way =
  | { readonly kind: 'password'; readonly name: string; readonly domain: string; readonly password: string; readonly device: string }
  | { readonly kind: 'recover'; readonly name: string; readonly domain: string; readonly code: string; readonly newPassword: string; readonly device: string }
  /** What the browser brought back from a provider, and what this window kept. */
  | { readonly kind: 'ticket'; readonly ticket: string; readonly verifier: Uint8Array; readonly device: string }
  /** credential: JSON of the browser's PublicKeyCredential. */
  | { readonly kind: 'passkey'; readonly ceremony: string; readonly credential: string; readonly device: string }
  | { readonly kind: 'register'; readonly name: string; readonly displayName: string; readonly password: string; readonly invitation: string; readonly device: string }

export interface Entered {
  readonly account: User
  readonly user: User
  readonly recoveryCodes: readonly string[]
}

/** What happened. Rows replace what was there under the same name. */
export type Told =
  | { readonly kind: 'accounts'; readonly rows: readonly AccountRow[] }
  | { readonly kind: 'account'; readonly row: AccountRow }
  /** `whole`: these are all; any other is not there any more. */
  | { readonly kind: 'conversations'; readonly account: User; readonly rows: readonly ConversationRow[]; readonly whole: boolean }
  /** New, changed, or with a new state. */
  | { readonly kind: 'messages'; readonly account: User; readonly rows: readonly MessageRow[]; readonly fresh: boolean }
  /** Discarded. */
  | { readonly kind: 'forgotten'; readonly account: User; readonly conversation: ConversationId; readonly key: string }
  /** The node went back in time, or more came than was told: what is shown has to be asked for again. */
  | { readonly kind: 'again'; readonly account: User; readonly conversation: ConversationId | undefined }
  | { readonly kind: 'profiles'; readonly account: User; readonly rows: readonly ProfileRow[] }
  /** One's own stickers are others now. */
  | { readonly kind: 'stickers'; readonly account: User }
  | { readonly kind: 'typing'; readonly account: User; readonly conversation: ConversationId; readonly user: User; readonly typing: boolean }
  | { readonly kind: 'presence'; readonly account: User; readonly user: User; readonly state: string; readonly text: string }
  /** `whole`: about anybody else nothing is kept. */
  | { readonly kind: 'persons'; readonly account: User; readonly rows: readonly PersonRow[]; readonly whole: boolean }
  | { readonly kind: 'own'; readonly account: User; readonly row: OwnRow }
  | { readonly kind: 'invitation'; readonly account: User; readonly row: GroupInvitationRow }
  /** This list is not any more as it was read. */
  | { readonly kind: 'later'; readonly account: User; readonly list: LaterList }
  /** Not: this browser keeps nothing, and what is here goes with the last tab. Told once, before the accounts. */
  | { readonly kind: 'keeping'; readonly isKept: boolean }
  | { readonly kind: 'setting'; readonly name: string; readonly value: unknown }

/** What an invitation gives. */
export interface InvitationShown {
  readonly administrator: boolean
  /** Until when it can be used, milliseconds since 1970. */
  readonly notAfterMs: number
  /** Uses left. */
  readonly uses: number
  /** Who invites; undefined: the operator, or somebody who is gone. */
  readonly inviter: { readonly user: User; readonly name: string } | undefined
}

/** A tab's end of the worker. */
export interface Sdk {
  /** Told everything from now on; first the accounts and, for each, its conversations and profiles as they are. */
  listen(hear: (told: Told) => void): () => void
  account(user: User): AccountCalls
  /** What the domain that served this page says of itself. */
  house(): Promise<House>
  /** What an invitation to the domain of this page gives: its secret, or its whole link. Error `invitation-invalid`. */
  invitation(link: string): Promise<InvitationShown>
  /** Where the person goes, to sign in by a provider of the domain of this page; challenge: SHA-256 of what this window keeps. */
  beginSignIn(provider: string, challenge: Uint8Array): Promise<string>
  /** Asks for any passkey of the domain of this page. */
  askPasskey(): Promise<PasskeyBegun>
  enter(way: Way, onstep: (step: Step) => void): Promise<Entered>
  /** Of this browser, for all tabs. */
  setting(name: string): Promise<unknown>
  keepSetting(name: string, value: unknown): Promise<void>
  /** 'shared', or 'led': a dedicated worker that one tab keeps for all. */
  readonly sort: 'shared' | 'led'
}
