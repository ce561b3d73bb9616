// Menus of the list, loaded when one is opened: what can be done with a conversation, and what can be begun.

import { menus, point, type MenuItem } from '../../parts/menus.svelte'
import { toasts } from '../../parts/toasts.svelte'
import { say } from '../../words'
import type { Conversation, Talk } from '../model'
import { router } from '../route.svelte'
import { silenced } from './filter'

/** What can be begun: a conversation, with oneself too, and a group where there are any. */
export function newMenu(anchor: HTMLElement, acts: { anew: () => void; oneself: () => void; group: (() => void) | undefined; join: (() => void) | undefined }): void {
  const t = say('talk')
  menus.open({
    label: t('newChat'), anchor, align: 'end', items: [
      { words: t('newChat'), icon: 'person-plus', act: acts.anew },
      { words: t('fileTransfer'), icon: 'transfer', act: acts.oneself },
      ...(acts.group ? [{ words: t('newGroup'), icon: 'group' as const, act: acts.group }] : []),
      ...(acts.join ? [{ words: t('joinGroup'), icon: 'link' as const, act: acts.join }] : []),
    ],
  })
}

const HOUR_MS = 3_600_000
const ALWAYS_MS = 253_402_300_800_000
/** `open`: the conversation on the screen. */
export function conversationMenu(at: HTMLElement | { x: number; y: number }, one: Conversation, talk: Talk, open: string | undefined, onproblem: (error: unknown) => void): void {
  const t = say('talk')
  const undo = (back: () => void) => ({ words: t('undo'), do: back })
  function pin(one: Conversation, pinned: boolean) {
    const back = () => void talk.arrange(one.id, { pinned: !pinned }).catch(onproblem)
    talk.arrange(one.id, { pinned }).then(() => toasts.say(t(pinned ? 'pinnedChat' : 'unpinnedChat', { name: one.name }), undo(back)), onproblem)
  }
  function hide(one: Conversation) {
    const back = () => void talk.arrange(one.id, { hidden: false }).catch(onproblem)
    talk.arrange(one.id, { hidden: true }).then(() => toasts.say(t('hiddenChat', { name: one.name }), undo(back)), onproblem)
    if (one.id === open) router.go('/')
  }
  const silence = (until: number, mentionsOnly: boolean) => {
    const back = () => void talk.silence(one.id, one.mutedUntil, one.mentionsOnly).catch(onproblem)
    talk.silence(one.id, until, mentionsOnly).then(() => toasts.say(t(until || mentionsOnly ? 'mutedChat' : 'unmutedChat', { name: one.name }), undo(back)), onproblem)
  }
  const items: MenuItem[] = [
    { words: one.pinned ? t('unpin') : t('pinChat'), icon: 'pin', act: () => pin(one, !one.pinned) },
    one.unread > 0 || one.marked
      ? { words: t('markRead'), icon: 'check', act: () => { talk.markRead(one.id, one.head); talk.markUnread(one.address, false) } }
      : { words: t('markUnread'), icon: 'unread', act: () => talk.markUnread(one.address, true) },
    silenced(one, Date.now())
      ? { words: t('unmute'), icon: 'bell', act: () => silence(0, false) }
      : { words: t('mute'), icon: 'bell-off', items: [
          { words: t('muteHour'), act: () => silence(Date.now() + HOUR_MS, false) },
          { words: t('muteDay'), act: () => silence(Date.now() + 24 * HOUR_MS, false) },
          { words: t('muteAlways'), act: () => silence(ALWAYS_MS, false) },
          ...(one.group ? [{ words: t('mentionsOnly'), act: () => silence(0, true) }] : []),
        ] },
  ]
  items.push({ words: t('hide'), icon: 'eye-off', act: () => hide(one) })
  if (!one.group && !one.toMyself) items.push({ rule: true }, { words: one.blocked ? t('unblock') : t('block'), icon: 'block', danger: !one.blocked, act: () => talk.block(one.address, !one.blocked).catch(onproblem) })
  menus.open({ label: t('conversationMenu', { name: one.name }), anchor: at instanceof HTMLElement ? at : point(at.x, at.y), items })
}
