// What these views ask of a session: one method for each thing that can be asked of the node. Whoever mounts the views
// gives them one; `session.ts` makes it from the SDK, and tests and pictures make their own.
//
// Nothing here decides anything: an error is what the node said, as code and parameters.

import type { AccountCalls, ConversationId, GroupRow, OwnRow, PersonRow, ProfileRow } from '../sdk/api'
import type { Told } from '../words/errors.svelte'

export type {
  Act, Acted, ConversationId, DeviceRow as Device, GroupInvitationRow as GroupInvitation, GroupLinkRow as GroupLink, GroupMemberRow as GroupMember,
  InvitationRow as Invitation, MembersRow as Members, ProfileRow as Profile, RightsRow as Rights, Role, Standing, Who,
} from '../sdk/api'

/** A group and how the account is told of its messages. */
export interface Group extends GroupRow {
  readonly conversation: ConversationId
  readonly silentUntilMs: number
  readonly mentionsOnly: boolean
}
export interface Pinned { readonly sequence: number; readonly author: string; readonly timeMs: number; readonly text: string }

/** A person or group that the account knows already, for choosing and naming. */
export interface Known { readonly user: string; readonly displayName: string }
/** A group that whoever comes with an invitation may be brought into. */
export interface IntoGroup { readonly key: string; readonly name: string }
/** A first contact that waits for a decision. */
export interface Request { readonly conversation: ConversationId; readonly user: string; readonly displayName: string; readonly timeMs: number; readonly preview: string }

/** What is asked of the node, as the SDK asks it. */
type Asked =
  | 'search' | 'profile' | 'setProfile' | 'setPresence' | 'devices' | 'revokeDevice' | 'changePassword' | 'ways' | 'beginLink' | 'finishLink' | 'unlink' | 'newPasskey' | 'addPasskey' | 'removePasskey' | 'newRecoveryCodes' | 'invite' | 'blocked' | 'block' | 'decide'
  | 'keepPerson' | 'setAvailability' | 'setSchedule' | 'setAutoReply' | 'setOpenness' | 'card' | 'notify' | 'setNotify' | 'subscribePush' | 'unsubscribePush' | 'open' | 'silence' | 'signOut' | 'fileAccess' | 'deleteAccount' | 'administer' | 'createGroup' | 'act' | 'makeLink' | 'links' | 'members' | 'join' | 'groupInvitations' | 'decideInvitation'

export interface Node extends Pick<AccountCalls, Asked> {
  readonly user: string
  readonly domain: string
  readonly domainName: string
  readonly administrator: boolean
  /** "administrator", "auditor" or empty. */
  readonly role: string
  /** The host of its node. */
  readonly host: string
  readonly registration: string
  readonly about: { readonly version: string; readonly protocol: number; readonly device: string }
  /** Reactive: what the store knows now. */
  me(): ProfileRow
  online(): boolean
  name(user: string): string
  presence(user: string): string | undefined
  /** What they say beside it. */
  presenceText(user: string): string
  /** As they call themselves, whatever one calls them oneself. */
  ownName(user: string): string
  /** What is kept about somebody; neither: nothing. */
  kept(user: string): PersonRow
  /** Those whom one wants at hand. */
  starred(): readonly Known[]
  /** What the account has said of itself; undefined until the node has told. */
  own(): OwnRow | undefined
  known(): readonly Known[]
  requests(): readonly Request[]
  /** Groups of this domain into which one may bring people. */
  bringsInto(): readonly IntoGroup[]
  group(conversation: ConversationId): Group | undefined
  blockedNow(user: string): boolean
  pending(): number
  /** What is pinned, as it changes; undefined until that is known. */
  pins(conversation: ConversationId): readonly Pinned[] | undefined
}

/** What was thrown, as an error with words. */
export function told(error: unknown): Told {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') {
    const params = 'params' in error && typeof error.params === 'object' ? (error.params as Record<string, string>) : {}
    return { code: error.code, params }
  }
  return { code: 'internal', params: { why: String(error) } }
}
