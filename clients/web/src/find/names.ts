// People and groups by their names: those that are known here at once, then what the node found, in an order that does not
// move under the finger. Pure.

import { rankOf } from '../app/composer/complete'
import type { Conversation, Found, FoundGroup, FoundPerson, Range } from '../app/model'
import { places } from './marks'

export interface Named {
  /** `p` and an address, or `g` and a conversation. */
  readonly key: string
  readonly group: boolean
  readonly name: string
  /** Of a person their address; of a group its id, what its colour is made of. */
  readonly address: string
  /** Of the name, and of the address. */
  readonly ranges: readonly Range[]
  readonly inAddress: readonly Range[]
  readonly conversation: string | undefined
  readonly members: number
  readonly unread: number
  /** Less is better; of what the node alone found, more than of anything found here. */
  readonly rank: number
  /** Found here, by its name. */
  readonly here: boolean
}

/** More than any rank of what is found here. */
const BY_NODE = 10

/** Those opened of late first, then by time. */
export function recentFirst(all: readonly Conversation[], opened: readonly string[]): Conversation[] {
  const at = new Map(opened.map((address, i) => [address, i]))
  return all.filter((one) => !one.request)
    .map((one, i) => ({ one, order: at.get(one.address) ?? opened.length + i }))
    .sort((a, b) => a.order - b.order)
    .map(({ one }) => one)
}

function named(one: Conversation, word: string, rank: number): Named {
  return {
    key: one.group ? `g${one.id}` : `p${one.address}`, group: one.group !== undefined, name: one.name, address: one.address,
    ranges: places(one.name, word), inAddress: one.group ? [] : places(one.address, word), conversation: one.id, members: one.group?.members ?? 0, unread: one.unread, rank, here: true,
  }
}

/** Without words, all of them. */
export function known(all: readonly Conversation[], word: string): Named[] {
  if (word.trim() === '') return all.map((one) => named(one, '', 0))
  const out: Named[] = []
  for (const one of all) {
    const rank = rankOf(one.group ? [one.name] : [one.name, one.address], word.trim())
    if (rank !== undefined) out.push(named(one, word, rank))
  }
  return out.sort((a, b) => a.rank - b.rank)
}

const person = (found: FoundPerson, word: string): Named => ({
  key: `p${found.user}`, group: false, name: found.displayName || found.user.split('@')[0] || found.user, address: found.user,
  ranges: found.displayName ? found.ranges : places(found.user.split('@')[0] ?? '', word), inAddress: places(found.user, word), conversation: found.conversation, members: 0, unread: 0, rank: BY_NODE, here: false,
})
const group = (found: FoundGroup, all: readonly Conversation[]): Named => ({
  key: `g${found.conversation}`, group: true, name: found.name, address: all.find((one) => one.id === found.conversation)?.address ?? found.name,
  ranges: found.ranges, inAddress: [], conversation: found.conversation, members: found.members, unread: 0, rank: BY_NODE, here: false,
})

/** What is known here stays where it is; what the node alone found comes after it. */
export function joined(here: readonly Named[], found: Found | undefined, all: readonly Conversation[], word: string): Named[] {
  const there = new Set(here.map((one) => one.key))
  const more = [...(found?.people ?? []).map((one) => person(one, word)), ...(found?.groups ?? []).map((one) => group(one, all))]
  return [...here, ...more.filter((one) => !there.has(one.key))]
}
