// The account's own menu: whether one is there, and the address that one tells people.

import type { MenuItem } from '../parts/menus.svelte'
import { toasts } from '../parts/toasts.svelte'
import { copyText } from '../rooms/copy'
import type { Node } from '../rooms/node'
import { say } from '../words'

/** How long one is there by hand where a schedule says otherwise. */
const THERE_MS = 12 * 3_600_000
const HOUR_MS = 3_600_000

/** Entries for the account's own menu. What is chosen is kept, and is the same on all devices. */
export function ownItems(node: Node, onsettings: () => void, onproblem: (error: unknown) => void): MenuItem[] {
  const t = say('people')
  const said = node.own()?.availability
  const over = said !== undefined && said.untilMs !== 0 && said.untilMs <= Date.now()
  const now = over ? '' : (said?.state ?? '')
  const set = (state: string, untilMs = 0) => () => void node.setAvailability({ state, untilMs, text: over ? '' : (said?.text ?? '') }).catch(onproblem)
  // Without a schedule one is there whenever one is; with one, by hand, and for a while.
  const scheduled = (node.own()?.schedule.spans.length ?? 0) > 0
  return [
    { words: t('online'), checked: now === '' || now === 'online', act: scheduled ? set('online', Date.now() + THERE_MS) : set('') },
    { words: t('away'), checked: now === 'away', act: set('away') },
    { words: t('busy'), checked: now === 'busy', act: set('busy') },
    { words: t('dnd'), checked: now === 'dnd', items: [
      { words: t('forAnHour'), act: set('dnd', Date.now() + HOUR_MS) },
      { words: t('forEightHours'), act: set('dnd', Date.now() + 8 * HOUR_MS) },
      { words: t('muteAlways'), act: set('dnd') },
    ] },
    { words: t('invisible'), checked: now === 'offline', act: set('offline') },
    { words: t('presenceMore'), icon: 'edit', act: onsettings },
    { rule: true },
    { words: t('copyMine'), icon: 'copy', act: () => void copyText(node.user).then((did) => toasts.say(did ? t('copiedMine', { user: node.user }) : node.user)) },
  ]
}

/** How long a conversation is not to be announced: until when, or 0 for again. */
export function silenceItems(act: (untilMs: number) => void, silentUntilMs: number, now = Date.now()): MenuItem[] {
  const t = say('people')
  if (silentUntilMs > now) return [{ words: t('unmute'), icon: 'bell', act: () => act(0) }]
  return [
    { words: t('muteHour'), act: () => act(now + 3_600_000) },
    { words: t('muteDay'), act: () => act(now + 86_400_000) },
    { words: t('muteAlways'), act: () => act(FOR_EVER_MS) },
  ]
}

/** Beyond the year 9999, as the protocol says "always". */
export const FOR_EVER_MS = Date.UTC(10_000, 0, 1)
