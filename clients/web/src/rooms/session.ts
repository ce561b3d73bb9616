// The account that these views ask, made from the one that talks: most is passed on as it is, for both speak the contract
// of sdk/api.ts; what is known already is read from there, reactively.

import type { Account } from '../app/account.svelte'
import { gist } from '../app/preview'
import type { AccountRow, ConversationRow, GroupRow } from '../sdk/api'
import type { Group, Node, Request } from './node'

/** Of the protocol, while no welcome has come. */
const PROTOCOL = 1

/** Whether whoever comes to this domain may be brought in by this member. The node decides; what it would refuse is not offered. */
const bringsInto = (group: GroupRow, domain: string): boolean =>
  group.home === domain && group.standing === 'member' && (group.rights.add === 'members' || group.role === 'owner' || (group.rights.add === 'administrators' && group.role === 'administrator'))

export function session(talk: Account, version: string): Node {
  const { calls, me: user } = talk
  const row = (): AccountRow | undefined => talk.row
  const rows = (): ConversationRow[] => talk.conversations.flatMap((c) => talk.rowOf(c.id) ?? [])
  return {
    user,
    get domain() { return row()?.welcome?.domain ?? talk.domain },
    get domainName() { return row()?.welcome?.displayName ?? '' },
    get administrator() { return row()?.administrator ?? false },
    get role() { return row()?.role ?? '' },
    get host() { return URL.canParse(row()?.server ?? '') ? new URL(row()?.server ?? '').host : '' },
    get registration() { return row()?.welcome?.registration ?? 'closed' },
    get about() { return { version, protocol: row()?.welcome?.version ?? PROTOCOL, device: row()?.device ?? '' } },
    me: () => row()?.me ?? { user, displayName: '', avatar: '', signature: '', revision: 0 },
    online: () => row()?.link.state === 'online',
    name: (whom) => talk.name(whom),
    presence: (whom) => talk.presence(whom),
    presenceText: (whom) => talk.presenceText(whom),
    ownName: (whom) => talk.ownName(whom),
    kept: (whom) => talk.kept(whom),
    starred: () => talk.starredOnes.map((whom) => ({ user: whom, displayName: talk.name(whom) })),
    own: () => talk.own,
    known: () => rows().flatMap((c) => (c.peer && !c.peer.gone && !c.request && !c.blocked ? [{ user: c.peer.user, displayName: talk.name(c.peer.user) }] : [])),
    requests: () => rows().filter((c) => c.request && !c.blocked && c.head > 0).flatMap((c) => request(c, talk)),
    bringsInto: () => rows().flatMap((c) => (c.group && bringsInto(c.group, talk.domain) ? [{ key: c.id, name: c.group.name }] : [])),
    group: (id) => group(talk.rowOf(id)),
    blockedNow: (whom) => rows().some((c) => c.blocked && c.peer?.user === whom),
    pending: () => row()?.outbox ?? 0,

    search: (order, signal) => calls.search(order, signal),
    profile: (whom) => calls.profile(whom),
    fileAccess: () => calls.fileAccess(),
    setProfile: (name, avatar, signature) => calls.setProfile(name, avatar, signature),
    setPresence: (state) => calls.setPresence(state),
    keepPerson: (whom, change) => calls.keepPerson(whom, change),
    setAvailability: (said) => calls.setAvailability(said),
    setSchedule: (schedule) => calls.setSchedule(schedule),
    setAutoReply: (reply) => calls.setAutoReply(reply),
    setOpenness: (openness) => calls.setOpenness(openness),
    card: (whom) => calls.card(whom),
    notify: () => calls.notify(),
    setNotify: (settings) => calls.setNotify(settings),
    subscribePush: (endpoint, p256dh, auth) => calls.subscribePush(endpoint, p256dh, auth),
    unsubscribePush: () => calls.unsubscribePush(),
    devices: () => calls.devices(),
    revokeDevice: (id) => calls.revokeDevice(id),
    ways: () => calls.ways(),
    beginLink: (provider, challenge) => calls.beginLink(provider, challenge),
    finishLink: (ticket, verifier) => calls.finishLink(ticket, verifier),
    unlink: (id) => calls.unlink(id),
    newPasskey: () => calls.newPasskey(),
    addPasskey: (ceremony, credential, name) => calls.addPasskey(ceremony, credential, name),
    removePasskey: (id) => calls.removePasskey(id),
    changePassword: (old, next) => calls.changePassword(old, next),
    newRecoveryCodes: (password) => calls.newRecoveryCodes(password),
    invite: (uses, validMs, groups) => calls.invite(uses, validMs, groups),
    blocked: () => calls.blocked(),
    block: (whom, blocked) => calls.block(whom, blocked),
    decide: (id, accept) => calls.decide(id, accept),
    open: (whom) => calls.open(whom),
    silence: (id, untilMs, mentionsOnly) => calls.silence(id, untilMs, mentionsOnly),
    signOut: (forget) => calls.signOut(forget),
    administer: (method, path, body) => calls.administer(method, path, body),
    deleteAccount: (password, erase) => calls.deleteAccount(password, erase),

    createGroup: (name, members) => calls.createGroup(name, members),
    act: (id, act) => calls.act(id, act),
    makeLink: (id, uses, validMs) => calls.makeLink(id, uses, validMs),
    links: (id) => calls.links(id),
    members: (id, from, limit, asked) => calls.members(id, from, limit, asked),
    pins: (id) => talk.pinned(id)?.map((m) => ({ sequence: m.sequence, author: m.author, timeMs: m.time, text: gist(m, talk) })),
    join: (link, word) => calls.join(link, word),
    groupInvitations: () => calls.groupInvitations(),
    decideInvitation: (id, accept) => calls.decideInvitation(id, accept),
  }
}

function request(c: ConversationRow, talk: Account): Request[] {
  if (!c.peer) return []
  const last = talk.conversation(c.id)?.last
  return [{ conversation: c.id, user: c.peer.user, displayName: c.peer.displayName, timeMs: c.time, preview: last ? gist(last, talk) : '' }]
}

function group(c: ConversationRow | undefined): Group | undefined {
  if (!c?.group) return undefined
  return { conversation: c.id, ...c.group, silentUntilMs: c.mutedUntilMs, mentionsOnly: c.mentionsOnly }
}
