// For how long messages of a conversation are kept, for those who read it.

import type { Conversation, Talk } from './model'

const DAY_MS = 24 * 3600 * 1000

/** Days; 0: for ever, or not known. */
export function keptDays(talk: Pick<Talk, 'keeping'>, conversation: Pick<Conversation, 'group'>): number {
  const ms = conversation.group ? talk.keeping?.groupsMs : talk.keeping?.directMs
  return Math.round((ms ?? 0) / DAY_MS)
}
