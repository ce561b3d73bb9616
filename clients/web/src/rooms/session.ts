// The account that these views ask, made from the SDK: most is passed on as it is, for both speak the contract of
// sdk/api.ts; what is known already is read from `Seen`.

import type { AccountCalls, AccountRow, ConversationRow, Sdk, User } from '../sdk/api'
import type { ConversationId, Group, Node, Pinned, Request } from './node'
import type { Seen } from './seen.svelte'

/** What the views around talking can say of messages. */
export interface Gists {
  /** The newest message of a conversation in one line; empty if there is none. */
  last(conversation: ConversationId): string
  pins(conversation: ConversationId): Promise<readonly Pinned[]>
}

declare const __VERSION__: string | undefined
const VERSION = typeof __VERSION__ === 'string' ? __VERSION__ : '0.1.0'
const PROTOCOL = 1

export function session(sdk: Sdk, user: User, seen: Seen, gists: Gists, device: () => string): Node {
  const calls: AccountCalls = sdk.account(user)
  const row = (): AccountRow | undefined => seen.account(user)
  return {
    user,
    get domain() { return row()?.welcome?.domain ?? user.slice(user.indexOf('@') + 1) },
    get domainName() { return row()?.welcome?.displayName ?? '' },
    get administrator() { return row()?.administrator ?? false },
    get registration() { return row()?.welcome?.registration ?? 'closed' },
    get about() { return { version: VERSION, protocol: row()?.welcome?.version ?? PROTOCOL, device: device() } },
    me: () => row()?.me ?? { user, displayName: '', avatar: '', signature: '' },
    online: () => row()?.link.state === 'online',
    name: (whom) => seen.name(user, whom),
    presence: (whom) => seen.presence(user, whom),
    known: () => seen.conversations(user).flatMap((c) => (c.peer && !c.peer.gone && !c.request && !c.blocked ? [{ user: c.peer.user, displayName: c.peer.displayName }] : [])),
    requests: () => seen.conversations(user).filter((c) => c.request && !c.blocked).sort((a, b) => b.time - a.time).flatMap((c) => request(c, gists)),
    group: (id) => group(seen.conversation(user, id)),
    blockedNow: (whom) => seen.conversations(user).some((c) => c.blocked && c.peer?.user === whom),
    pending: () => row()?.outbox ?? 0,

    profile: (whom) => calls.profile(whom),
    setProfile: (name, avatar, signature) => calls.setProfile(name, avatar, signature),
    setPresence: (state) => calls.setPresence(state),
    devices: () => calls.devices(),
    revokeDevice: (id) => calls.revokeDevice(id),
    changePassword: (old, next) => calls.changePassword(old, next),
    newRecoveryCodes: (password) => calls.newRecoveryCodes(password),
    invite: (uses, validMs) => calls.invite(uses, validMs),
    blocked: () => calls.blocked(),
    block: (whom, blocked) => calls.block(whom, blocked),
    decide: (id, accept) => calls.decide(id, accept),
    open: (whom) => calls.open(whom),
    silence: (id, untilMs, mentionsOnly) => calls.silence(id, untilMs, mentionsOnly),
    signOut: (forget) => calls.signOut(forget),
    deleteAccount: (password, erase) => calls.deleteAccount(password, erase),

    createGroup: (name, members) => calls.createGroup(name, members),
    act: (id, act) => calls.act(id, act.kind === 'unpin' ? { kind: 'pin', sequence: act.sequence, remove: true } : act),
    makeLink: (id, uses, validMs) => calls.makeLink(id, uses, validMs),
    links: (id) => calls.links(id),
    members: (id, from, limit, asked) => calls.members(id, from, limit, asked),
    pins: (id) => gists.pins(id),
    join: (link, word) => calls.join(link, word),
    groupInvitations: () => calls.groupInvitations(),
    decideInvitation: (id, accept) => calls.decideInvitation(id, accept),
  }
}

function request(c: ConversationRow, gists: Gists): Request[] {
  return c.peer ? [{ conversation: c.id, user: c.peer.user, displayName: c.peer.displayName, timeMs: c.time, preview: gists.last(c.id) }] : []
}

function group(c: ConversationRow | undefined): Group | undefined {
  if (!c?.group) return undefined
  return { conversation: c.id, ...c.group, silentUntilMs: c.mutedUntilMs, mentionsOnly: c.mentionsOnly }
}
