// What can be done with a message here and now. Pure; the node has the last word.

import { filesOf, plain } from './content'
import type { Conversation, Message, Talk } from './model'

export type Action = 'save' | 'sticker' | 'reply' | 'react' | 'edit' | 'recall' | 'pin' | 'unpin' | 'forward' | 'copy' | 'select' | 'readers' | 'retry' | 'discard' | 'remind' | 'keep'

export function actionsOf(
  message: Message, conversation: Conversation, talk: Pick<Talk, 'editWindowMs' | 'recallWindowMs'>, now: number,
): Set<Action> {
  const out = new Set<Action>()
  if (message.system || message.recalled || message.expired || message.burnt || message.going) return out
  const group = conversation.group
  const inside = !group || group.standing === 'member'
  const numbered = message.sequence > 0
  const editable = message.said.kind === 'text' || message.said.kind === 'code'
  // What burns is not to be kept by anybody.
  const burns = Boolean(message.said.burnS)
  if (!burns && plain(message.said) !== '') out.add('copy')
  if (message.state === 'failed' || message.state === 'unconfirmed') {
    if (message.state === 'failed' && !numbered) out.add('discard')
    out.add('retry')
    return out
  }
  if (!numbered) return out
  out.add('remind')
  if (inside && !conversation.blocked && !conversation.gone && (!group || group.mayPost)) out.add('reply')
  if (group && inside) {
    out.add('react')
    if (group.mayPin) out.add(message.pinned ? 'unpin' : 'pin')
    if (message.mine) out.add('readers')
  }
  if (!burns) {
    if (filesOf(message.said).length > 0) out.add('save')
    if (message.said.kind === 'sticker') out.add('sticker')
    out.add('forward')
    out.add('keep')
    out.add('select')
  }
  if (message.mine && inside) {
    if (editable && now - message.time < talk.editWindowMs) out.add('edit')
    if (now - message.time < talk.recallWindowMs) out.add('recall')
  }
  return out
}

/** Why nothing can be written here; undefined: it can. */
export type Silence =
  | 'blocked' | 'over' | 'left' | 'joining' | 'asked' | 'suspect' | 'renewed' | 'muted' | 'administrators' | 'gone'

export function silence(conversation: Conversation, now: number): Silence | undefined {
  if (conversation.blocked) return 'blocked'
  const group = conversation.group
  if (!group) return conversation.gone ? 'gone' : undefined
  switch (group.standing) {
    case 'joining': return 'joining'
    case 'asked': return 'asked'
    case 'destroyed': return 'over'
    case 'suspect': return 'suspect'
    case 'renewed': return 'renewed'
    case 'leaving': case 'left': case 'removed': case 'banned': case 'refused': return 'left'
    case 'member': break
  }
  if (group.mutedUntil > now) return 'muted'
  return group.mayPost ? undefined : 'administrators'
}
