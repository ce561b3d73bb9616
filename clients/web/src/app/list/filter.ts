// Which conversations the list shows, and which is next. Pure.

import type { Conversation } from '../model'

export type Filter = 'all' | 'unread' | 'mentions' | 'groups'

export function matches(conversation: Conversation, word: string): boolean {
  const wanted = word.trim().toLocaleLowerCase()
  return wanted === '' || conversation.name.toLocaleLowerCase().includes(wanted) || conversation.address.toLocaleLowerCase().includes(wanted)
}

/** Requests stand in their own place; what is hidden is found by searching. The open one stays, though it has just been read. */
export function shown(all: readonly Conversation[], filter: Filter, open?: string): Conversation[] {
  return all.filter((one) => {
    if (one.request) return false
    if (one.id === open) return true
    if (one.hidden) return false
    if (filter === 'unread') return one.unread > 0 || one.marked
    if (filter === 'mentions') return one.mentioned
    if (filter === 'groups') return one.group !== undefined
    return true
  })
}

export const silenced = (one: Conversation, now: number): boolean => one.mutedUntil > now || one.mentionsOnly

/** The next one in the list, or the next unread one. */
export function after(all: readonly Conversation[], id: string | undefined, step: 1 | -1, unread: boolean): Conversation | undefined {
  const at = all.findIndex((one) => one.id === id)
  const start = at < 0 ? (step > 0 ? -1 : 0) : at
  for (let i = 1; i <= all.length; i++) {
    const one = all[(((start + i * step) % all.length) + all.length) % all.length]
    if (one && one.id !== id && (!unread || one.unread > 0 || one.marked)) return one
  }
  return undefined
}
