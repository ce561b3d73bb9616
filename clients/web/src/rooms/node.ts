// What these views ask of a session: one method for each thing that can be asked of the node. Whoever mounts the views
// gives them one; `session.ts` makes it from the SDK, and tests and pictures make their own.
//
// Nothing here decides anything: an error is what the node said, as code and parameters.

import type { Told } from '../words/errors.svelte'

/** The account's own number of a conversation, as the SDK names it. */
export type ConversationId = string

export interface Profile { readonly user: string; readonly displayName: string; readonly avatar: string; readonly signature: string }
export interface Device { readonly id: string; readonly name: string; readonly addedMs: number; readonly seenMs: number; readonly here: boolean }
export interface Invitation { readonly link: string; readonly notAfterMs: number; readonly uses: number }
export type Who = 'members' | 'administrators' | 'owner'
export type Joining = 'invitation' | 'approval' | 'closed'
export interface Rights { readonly post: Who; readonly add: Who; readonly atAll: Who; readonly pin: Who; readonly texts: Who; readonly joining: Joining }
export type Role = 'owner' | 'administrator' | 'member'
export type Standing =
  | 'member' | 'joining' | 'asked' | 'leaving' | 'left' | 'removed' | 'banned' | 'refused' | 'destroyed' | 'suspect' | 'renewed'

export interface Group {
  readonly conversation: ConversationId
  readonly group: string
  readonly home: string
  readonly name: string
  readonly notice: string
  readonly description: string
  readonly members: number
  readonly rights: Rights
  readonly role: Role
  readonly standing: Standing
  readonly mutedUntilMs: number
  readonly asked: number
  /** How the account is told of messages. */
  readonly silentUntilMs: number
  readonly mentionsOnly: boolean
}
export interface GroupMember { readonly user: string; readonly displayName: string; readonly role: Role; readonly mutedUntilMs: number; readonly word: string }
export interface Members { readonly members: readonly GroupMember[]; readonly next: number; readonly count: number }
export interface GroupLink { readonly link: string; readonly maker: string; readonly uses: number; readonly used: number; readonly notAfterMs: number }
export interface GroupInvitation { readonly group: string; readonly home: string; readonly name: string; readonly inviter: string; readonly timeMs: number }
export interface Pinned { readonly sequence: number; readonly author: string; readonly timeMs: number; readonly text: string }

/** A person or group that the account knows already, for choosing and naming. */
export interface Known { readonly user: string; readonly displayName: string }
/** A first contact that waits for a decision. */
export interface Request { readonly conversation: ConversationId; readonly user: string; readonly displayName: string; readonly timeMs: number; readonly preview: string }

export type Act =
  | { readonly kind: 'add'; readonly user: string }
  | { readonly kind: 'remove'; readonly user: string }
  | { readonly kind: 'ban'; readonly user: string; readonly lift: boolean }
  | { readonly kind: 'role'; readonly user: string; readonly role: Role }
  | { readonly kind: 'mute'; readonly user: string; readonly untilMs: number }
  | { readonly kind: 'text'; readonly text: 'name' | 'notice' | 'description'; readonly value: string }
  | { readonly kind: 'rights'; readonly rights: Rights }
  | { readonly kind: 'revokeLink'; readonly link: string }
  | { readonly kind: 'admit'; readonly user: string; readonly refuse: boolean }
  | { readonly kind: 'unpin'; readonly sequence: number }
  | { readonly kind: 'leave' }
  | { readonly kind: 'destroy' }

/** `waiting`: the group's home is another domain and has not recorded it yet. */
export interface Acted { readonly conversation: ConversationId; readonly waiting: boolean }

export interface Node {
  readonly user: string
  readonly domain: string
  readonly domainName: string
  readonly administrator: boolean
  readonly registration: string
  readonly about: { readonly version: string; readonly protocol: number; readonly device: string }
  /** Reactive: what the store knows now. */
  me(): Profile
  online(): boolean
  name(user: string): string
  presence(user: string): string | undefined
  known(): readonly Known[]
  requests(): readonly Request[]
  group(conversation: ConversationId): Group | undefined
  blockedNow(user: string): boolean
  pending(): number

  profile(user: string): Promise<Profile>
  setProfile(displayName: string, avatar: string, signature: string): Promise<void>
  setPresence(state: string): Promise<void>
  devices(): Promise<readonly Device[]>
  revokeDevice(id: string): Promise<void>
  changePassword(old: string, next: string): Promise<void>
  newRecoveryCodes(password: string): Promise<readonly string[]>
  invite(uses: number, validMs: number): Promise<Invitation>
  blocked(): Promise<readonly string[]>
  block(user: string, blocked: boolean): Promise<void>
  decide(conversation: ConversationId, accept: boolean): Promise<void>
  open(user: string): Promise<ConversationId>
  silence(conversation: ConversationId, untilMs: number, mentionsOnly: boolean): Promise<void>
  signOut(forget: boolean): Promise<void>
  deleteAccount(password: string, erase: boolean): Promise<void>

  createGroup(name: string, members: readonly string[]): Promise<Acted>
  act(conversation: ConversationId, act: Act): Promise<Acted>
  makeLink(conversation: ConversationId, uses: number, validMs: number): Promise<Invitation>
  links(conversation: ConversationId): Promise<readonly GroupLink[]>
  members(conversation: ConversationId, from: number, limit: number, asked: boolean): Promise<Members>
  pins(conversation: ConversationId): Promise<readonly Pinned[]>
  join(link: string, word: string): Promise<Acted>
  groupInvitations(): Promise<readonly GroupInvitation[]>
  decideInvitation(group: string, accept: boolean): Promise<Acted | undefined>
}

/** What was thrown, as an error with words. */
export function told(error: unknown): Told {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') {
    const params = 'params' in error && typeof error.params === 'object' ? (error.params as Record<string, string>) : {}
    return { code: error.code, params }
  }
  return { code: 'internal', params: { why: String(error) } }
}
