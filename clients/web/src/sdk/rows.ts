// Frames as rows (api.ts), and which of two forms of a message is the later one.

import { fromBinary } from '@bufbuild/protobuf'
import type {
  FoundRow, GroupInvitationRow, GroupMemberRow, GroupRow, KeptRow, MessageRow, NotifyRow, OwnRow, PasskeyBegun, PeerRow, PersonRow, ProfileRow, RangeRow, RightsRow, Role, Standing, WaysRow, Who,
} from './api'
import type * as pb from './made/startalk/client_pb'
import { ContentSchema } from './made/startalk/content_pb'

export function hex(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) out += byte.toString(16).padStart(2, '0')
  return out
}

export function unhex(text: string): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(text.length >> 1)
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return out
}

/** An own message is known by the device that sent it and its number there. */
export function ownKey(device: string, counter: number): string {
  return `o${device}.${counter}`
}

export function messageRow(m: pb.Message, conversation: string, me: string): MessageRow {
  const mine = m.author === me && m.author !== ''
  const counter = Number(m.counter)
  return {
    key: m.device !== 0n && counter !== 0 ? ownKey(String(m.device), counter) : `s${m.sequence}`,
    conversation,
    sequence: Number(m.sequence),
    id: hex(m.id),
    author: m.author,
    time: Number(m.timeMs),
    sentTime: Number(m.sentMs),
    content: m.content,
    replyTo: hex(m.replyTo),
    replySequence: Number(m.replySequence),
    editedTime: Number(m.editedMs),
    recalled: m.recalled,
    ...(m.expired ? { expired: true } : {}),
    ...(m.burnt ? { burnt: true } : {}),
    ...(m.burnAtMs !== 0n ? { burnAt: Number(m.burnAtMs) } : {}),
    ...(m.played ? { played: true } : {}),
    reactions: m.reactions.map((r) => ({ emoji: r.emoji, count: Number(r.count), mine: r.mine, users: r.users })),
    pinned: m.pinned,
    own: !mine ? undefined : m.refused !== '' ? 'failed' : m.sequence === 0n ? 'waiting' : 'taken',
    problem: m.refused === '' ? undefined : { code: m.refused, params: {} },
    counter: 0,
  }
}

export function keptRow(k: pb.Kept | undefined): KeptRow {
  return { directMs: Number(k?.directMs ?? 0n), groupsMs: Number(k?.groupsMs ?? 0n), directBefore: Number(k?.directBeforeMs ?? 0n), groupsBefore: Number(k?.groupsBeforeMs ?? 0n) }
}

/** Whether a copy goes, when everything said before this moment is kept no longer. Lines and what was edited since stay. */
export function goes(row: MessageRow, before: number): boolean {
  return !row.recalled && row.content.length > 0 && Math.max(row.time, row.editedTime) < before && !calls(row.content, '').line
}

/** A message without what it said. */
export function emptied(row: MessageRow): MessageRow {
  return { ...row, content: new Uint8Array(), reactions: [], expired: true }
}

/** The later of two forms: recalled over all, then the later edit, then the one that came last; a refusal stays. */
export function later(old: MessageRow | undefined, next: MessageRow): MessageRow {
  if (!old) return next
  const stale = (old.recalled && !next.recalled) || (old.burnt && !next.burnt) || (old.recalled === next.recalled && old.editedTime > next.editedTime)
  const row = stale ? carried(old, next) : carried(next, old)
  const refused = old.problem && old.own === 'failed' ? old : undefined
  return refused && row.own !== 'failed' ? { ...row, own: refused.own, problem: refused.problem } : row
}

/** What is known once stays: not every form of a message says it. */
function carried(row: MessageRow, other: MessageRow): MessageRow {
  const played = !row.played && other.played ? { played: true } : undefined
  const burnAt = !row.burnAt && other.burnAt ? { burnAt: other.burnAt } : undefined
  return played || burnAt ? { ...row, ...played, ...burnAt } : row
}

export function notifyRow(m: pb.Notify): NotifyRow {
  const s = m.settings
  return {
    settings: {
      hidden: s?.hidden ?? false, quiet: s?.quiet ?? false, quietFromMin: s?.quietFromMin ?? 0, quietUntilMin: s?.quietUntilMin ?? 0,
      offsetMin: s?.offsetMin ?? 0, quietCalls: s?.quietCalls ?? false, keywords: s?.keywords ?? [],
    },
    key: m.key, endpoint: m.endpoint,
  }
}

export function ownRow(m: pb.Own): OwnRow {
  const { availability: a, schedule: s, reply: r, openness: o } = m
  return {
    availability: { state: a?.state ?? '', untilMs: Number(a?.untilMs ?? 0n), text: a?.text ?? '' },
    schedule: { zone: s?.zone ?? '', spans: (s?.spans ?? []).map((one) => ({ days: one.days, fromMin: one.fromMin, untilMin: one.untilMin })) },
    reply: { text: r?.text ?? '', whenDnd: r?.whenDnd ?? false, whenAway: r?.whenAway ?? false, whenScheduled: r?.whenScheduled ?? false },
    openness: { firstContact: o?.firstContact ?? '', question: o?.question ?? '', answer: o?.answer ?? '', presence: o?.presence ?? '', lastSeen: o?.lastSeen ?? '' },
    endsMs: Number(m.endsMs),
  }
}

export function personRow(m: pb.PersonKept): PersonRow {
  return { user: m.user, remark: m.remark, starred: m.starred }
}

export function peerRow(m: pb.Member): PeerRow {
  return { user: m.user, displayName: m.displayName, delivered: Number(m.delivered), read: Number(m.read), gone: m.gone }
}

function rightsRow(r: pb.GroupRights | undefined): RightsRow {
  const who = (w: string | undefined, otherwise: Who): Who => (w === 'members' || w === 'administrators' || w === 'owner' ? w : otherwise)
  const joining = r?.joining
  return {
    post: who(r?.post, 'members'),
    add: who(r?.add, 'members'),
    atAll: who(r?.atAll, 'administrators'),
    pin: who(r?.pin, 'administrators'),
    texts: who(r?.texts, 'administrators'),
    joining: joining === 'approval' || joining === 'closed' ? joining : 'invitation',
  }
}

export function role(text: string): Role {
  return text === 'owner' || text === 'administrator' ? text : 'member'
}

const STANDINGS: readonly string[] = [
  'member', 'joining', 'asked', 'leaving', 'left', 'removed', 'banned', 'refused', 'destroyed', 'suspect', 'renewed',
]

export function groupRow(g: pb.Group): GroupRow {
  return {
    group: g.group,
    home: g.home,
    name: g.name,
    notice: g.notice,
    description: g.description,
    avatar: g.avatar,
    members: Number(g.members),
    rights: rightsRow(g.rights),
    role: role(g.role),
    // One that a later version names: nothing can be done in it.
    standing: STANDINGS.includes(g.standing) ? (g.standing as Standing) : 'left',
    first: Number(g.first),
    mutedUntilMs: Number(g.mutedUntilMs),
    asked: Number(g.asked),
  }
}

export function profileRow(p: pb.Profile): ProfileRow {
  return { user: p.user, displayName: p.displayName, avatar: p.avatar, signature: p.signature, revision: Number(p.revision) }
}

export function memberRow(m: pb.GroupMember): GroupMemberRow {
  return { user: m.user, displayName: m.displayName, role: role(m.role), mutedUntilMs: Number(m.mutedUntilMs), word: m.word }
}

export function invitationRow(i: pb.GroupInvitation): GroupInvitationRow {
  return { group: i.group, home: i.home, name: i.name, inviter: i.inviter, timeMs: Number(i.timeMs) }
}

export function foundRow(f: pb.Found): FoundRow {
  const ranges = (all: readonly pb.Range[]): RangeRow[] => all.map((r) => [r.start, r.length])
  return {
    people: f.people.map((p) => ({
      // As one calls them oneself, if one does.
      user: p.user, displayName: p.remark || p.displayName, ranges: ranges(p.remark ? p.remarkRanges : p.ranges), conversation: p.conversation === 0n ? undefined : String(p.conversation),
    })),
    groups: f.groups.map((g) => ({ conversation: String(g.conversation), name: g.name, ranges: ranges(g.ranges), members: Number(g.members) })),
    messages: f.messages.map((m) => ({
      conversation: String(m.conversation), sequence: Number(m.sequence), author: m.author, time: Number(m.timeMs), text: m.text, ranges: ranges(m.ranges),
      moreBefore: m.moreBefore, moreAfter: m.moreAfter,
    })),
    next: f.next.length > 0 ? f.next : undefined,
    building: f.building ? f.percent : undefined,
  }
}

/** What matters of a content for counting: whether it is a line, and whether it calls somebody. */
export function calls(content: Uint8Array, me: string): { line: boolean; me: boolean } {
  try {
    const { kind } = fromBinary(ContentSchema, content)
    if (kind.case === 'system') return { line: true, me: false }
    const called = kind.case === 'text'
      && kind.value.blocks.some((b) => b.inlines.some((i) => i.mention !== '' && (i.mention === me || i.mention === '@all')))
    return { line: false, me: called }
  } catch {
    return { line: false, me: false }
  }
}

export function passkeyBegun(begun: pb.PasskeyBegun): PasskeyBegun {
  return { ceremony: String(begun.ceremony), options: new TextDecoder().decode(begun.options) }
}

export function waysRow(ways: pb.SignInWays): WaysRow {
  return {
    hasPassword: ways.hasPassword,
    identities: ways.identities.map((i) => ({ id: String(i.link), provider: i.provider, label: i.label, linkedMs: Number(i.linkedMs) })),
    passkeys: ways.passkeys.map((p) => ({ id: String(p.passkey), name: p.name, addedMs: Number(p.addedMs), usedMs: Number(p.usedMs), suspect: p.suspect })),
    providers: ways.providers.map(({ id, displayName }) => ({ id, displayName })),
    passkeysPossible: ways.passkeysPossible,
  }
}
