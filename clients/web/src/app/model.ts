// What the views around talking see of an account, and what they ask of it. `account.svelte.ts` makes it from the SDK;
// the lab and the tests make their own. Reading a property in a view follows it.
//
// Nothing here decides what is allowed: the node does. `actions.ts` only leaves out what it would refuse.

import type { FoundRow as Found, Later, LaterList, MessageRow, SearchOrder } from '../sdk/api'
import type { Said, SaidOf } from './content'

export type {
  Later, LaterList, LaterReminder, LaterSaved, LaterScheduled, FoundGroupRow as FoundGroup, FoundKind, FoundMessageRow as FoundMessage, FoundPersonRow as FoundPerson, FoundRow as Found, RangeRow as Range, SearchOrder,
} from '../sdk/api'

/** The account's own number of a conversation. */
export type ConversationId = string

export type MessageState = 'pending' | 'waiting' | 'sent' | 'delivered' | 'read' | 'unconfirmed' | 'failed' | 'none'

export interface Problem { readonly code: string; readonly params: Readonly<Record<string, string>> }

export interface Reaction { readonly emoji: string; readonly count: number; readonly mine: boolean; readonly users: readonly string[] }

export interface Quoted { readonly key: string; readonly author: string; readonly said: Said; readonly recalled: boolean; readonly expired: boolean; readonly sequence: number }

/** How far the files of a message are that waits for them. */
export interface Going {
  readonly conversation: ConversationId
  /** `waiting`: for a connection, or its turn; `working`: all bytes are there, the node looks at them. */
  readonly state: 'waiting' | 'sending' | 'paused' | 'working' | 'failed'
  /** Bytes. */
  readonly done: number
  readonly total: number
  readonly problem: Problem | undefined
  pause(): void
  /** Goes on after a pause, or tries again what failed. */
  resume(): void
  cancel(): void
}

export interface Message {
  /** The same from the moment it is sent until it is forgotten. */
  readonly key: string
  /** 0 while it has none. */
  readonly sequence: number
  readonly author: string
  readonly mine: boolean
  readonly system: boolean
  /** Arrival here; of what is not sent yet, when it was written. */
  readonly time: number
  /** The author's, where it differs; else 0. */
  readonly sentTime: number
  readonly said: Said
  /** What it answers; 'gone' if that is not here. */
  readonly answers: Quoted | 'gone' | undefined
  readonly editedTime: number
  readonly recalled: boolean
  /** What it said is kept no longer. */
  readonly expired: boolean
  /** It was opened, and its time is over. */
  readonly burnt?: boolean | undefined
  /** It was opened, and burns then, by the node's clock. */
  readonly burnAt?: number | undefined
  /** One has listened to it, on whichever device. */
  readonly played?: boolean | undefined
  readonly state: MessageState
  readonly problem: Problem | undefined
  readonly reactions: readonly Reaction[]
  readonly pinned: boolean
  /** It calls me, or everybody. */
  readonly callsMe: boolean
  /** Its files are on their way; it is not sent yet. */
  readonly going?: Going | undefined
}

/** One's own. */
export interface Sticker { readonly number: string; readonly said: SaidOf<'sticker'> }

/** What a message answers, as it is sent. */
export interface Answering { readonly replyTo: string; readonly replySequence?: number | undefined }

export type Standing =
  | 'member' | 'joining' | 'asked' | 'leaving' | 'left' | 'removed' | 'banned' | 'refused' | 'destroyed' | 'suspect' | 'renewed'

export interface GroupFacts {
  readonly id: string
  readonly home: string
  readonly members: number
  readonly role: 'owner' | 'administrator' | 'member'
  readonly standing: Standing
  readonly notice: string
  readonly mayPost: boolean
  readonly mayPin: boolean
  readonly mayCallAll: boolean
  readonly mutedUntil: number
}

export interface Conversation {
  readonly id: ConversationId
  readonly name: string
  /** name@domain of the other; of a group its id: what its colour is made of. */
  readonly address: string
  readonly group: GroupFacts | undefined
  readonly toMyself: boolean
  readonly gone: boolean
  readonly head: number
  readonly read: number
  readonly unread: number
  readonly mentioned: boolean
  /** Above all others. */
  readonly pinned: boolean
  /** Not in the list until something is said. */
  readonly hidden: boolean
  /** Somebody wants to come back to it: shown as unread until it is opened. */
  readonly marked: boolean
  readonly request: boolean
  readonly blocked: boolean
  readonly mutedUntil: number
  readonly mentionsOnly: boolean
  readonly time: number
  /** The newest message that is known. */
  readonly last: Message | undefined
  readonly draft: string
}

export type Link =
  | { readonly state: 'online' }
  | { readonly state: 'connecting' }
  | { readonly state: 'syncing' }
  | { readonly state: 'waiting'; readonly retryAt: number }
  | { readonly state: 'offline' }
  | { readonly state: 'signed-out' }

export interface Draft {
  readonly typed: string
  readonly mentions: readonly (readonly [string, string])[]
  /** The message answered or edited. */
  readonly answers?: number | undefined
  readonly edits?: number | undefined
}

export interface Person { readonly user: string; readonly name: string }

/** The stretch of a conversation that is loaded, and how to have more. */
export interface Timeline {
  readonly messages: readonly Message[]
  /** Nothing is before the first. */
  readonly atStart: boolean
  /** Nothing is after the last: new messages are added. */
  readonly atEnd: boolean
  readonly loading: boolean
  older(): void
  newer(): void
  /** Loads what is around a message, unless it is there; false: it is not in the conversation any more. */
  around(sequence: number): Promise<boolean>
  latest(): Promise<void>
  /** The first message of that moment or later, or the last before it; undefined: there is none, or no connection to ask. */
  at(time: number): Promise<number | undefined>
  close(): void
}

export interface Invitation { readonly group: string; readonly name: string; readonly inviter: string; readonly time: number }

export interface Readers { readonly count: number; readonly of: number; readonly users: readonly string[] }

/** How an account's files are asked for: where its node is, and what speaks for this device. */
export interface FileAccess {
  /** https://host */
  readonly base: string
  readonly device: string
  readonly token: Uint8Array
}

export interface Talk {
  readonly me: string
  readonly domain: string
  readonly link: Link
  readonly outbox: number
  readonly editWindowMs: number
  readonly recallWindowMs: number
  /** For how long messages are kept; undefined: not known. */
  readonly keeping: { readonly directMs: number; readonly groupsMs: number } | undefined
  /** The account ends then by itself, for the domain is for trying; 0: it does not. */
  readonly endsMs: number
  readonly conversations: readonly Conversation[]
  /** Into groups of other domains. */
  readonly invitations: readonly Invitation[]
  /** Whether the list has been heard once. */
  readonly listed: boolean
  conversation(id: ConversationId): Conversation | undefined
  name(user: string): string
  presence(user: string): string | undefined
  /** What they say of their presence. */
  presenceText(user: string): string
  /** Whether one is not to be disturbed now. */
  readonly dnd: boolean
  starred(user: string): boolean
  typing(id: ConversationId): readonly string[]
  /** `at`: the message around which it begins; else the newest, or where one stopped reading. */
  timeline(id: ConversationId, at?: number): Timeline

  send(id: ConversationId, said: Said, answers?: Message): void
  /** Ends when it is kept to be sent; the same ticket again is the same message. */
  /** What a conversation holds besides words, the newest first, with numbers below `before` (0: all); see files/listed.svelte.ts. */
  filesIn(id: ConversationId, kinds: number, before: number): Promise<{ readonly messages: readonly Message[]; readonly whole: boolean }>
  sendOnce(ticket: string, id: ConversationId, said: Said, answers?: Answering): Promise<void>
  /** After so many seconds burns what one says there from now on; 0: it stays. As long as this window is open. */
  burning(id: ConversationId): number
  setBurning(id: ConversationId, seconds: number): void
  /** One wants to see what burns. */
  openBurning(id: ConversationId, message: Message): Promise<void>
  /** One has listened to it. */
  markPlayed(id: ConversationId, message: Message): void
  /** The node's clock. */
  readonly nodeNow: number
  /** One's own stickers as they are now; undefined until they came. */
  readonly stickers: readonly Sticker[] | undefined
  readStickers(): Promise<void>
  changeStickers(change: { readonly add: Said } | { readonly of: ConversationId; readonly message: Message } | { readonly remove: string }): Promise<void>
  /** Whether links can have cards. */
  readonly previews: boolean
  /** The card of a page, looked at by one's own node; undefined: there is none. */
  preview(url: string): Promise<SaidOf<'link'> | undefined>
  answering(id: ConversationId, message: Message): Answering | undefined
  /** Error `not-signed-in`. */
  fileAccess(): Promise<FileAccess>
  /** Messages of this window whose files are on their way, of all conversations, as they were written. */
  readonly going: readonly Message[]
  setGoing(all: readonly Message[]): void
  edit(id: ConversationId, message: Message, said: Said): Promise<void>
  recall(id: ConversationId, message: Message): Promise<void>
  react(id: ConversationId, message: Message, emoji: string, remove: boolean): Promise<void>
  pin(id: ConversationId, message: Message, remove: boolean): Promise<void>
  /** What is pinned in a group, as it changes; undefined until that is known. */
  pinned(id: ConversationId): readonly Message[] | undefined
  retry(id: ConversationId, message: Message): void
  discard(id: ConversationId, message: Message): void
  markRead(id: ConversationId, sequence: number): void
  /** By the address of a conversation. */
  markUnread(address: string, unread: boolean): void
  setTyping(id: ConversationId, typing: boolean): void
  /** By the address of a conversation. */
  draft(address: string): Promise<Draft | undefined>
  keepDraft(address: string, draft: Draft | undefined): void
  silence(id: ConversationId, until: number, mentionsOnly: boolean): Promise<void>
  /** Where it stands in the list, on all devices. */
  arrange(id: ConversationId, change: { readonly pinned?: boolean; readonly hidden?: boolean }): Promise<void>
  block(user: string, blocked: boolean): Promise<void>
  decide(id: ConversationId, accept: boolean): Promise<void>
  open(user: string): Promise<ConversationId>
  members(id: ConversationId): Promise<readonly Person[]>
  readers(id: ConversationId, message: Message): Promise<Readers>
  /** Asks the node for what one may see; see sdk/api.ts. */
  search(order: SearchOrder, signal?: AbortSignal): Promise<Found>
  /** Addresses of the conversations that were opened of late, the newest first. */
  readonly opened: readonly string[]
  noteOpened(address: string): void
  lookForInvitations(): void
  /** What is said later, kept for later, or told of later; see sdk/api.ts and later/lists.svelte.ts. */
  later<K extends keyof Later>(what: K, ...args: Parameters<Later[K]>): Promise<Awaited<ReturnType<Later[K]>>>
  /** Called when one of these lists changes, here or on another device. */
  hearLater(hear: (list: LaterList) => void): () => void
  /** A message out of such a list. */
  messageOf(row: MessageRow): Message
  reconnect(): void
}
