// The menu with which one says whether one is there.

import type { MenuItem } from '../parts/menus.svelte'
import type { Node } from '../rooms/node'
import { say } from '../words'

const STATES = ['online', 'away', 'busy', 'dnd', 'offline'] as const

/** Entries for the account's own menu; `now`: what was chosen last. */
export function presenceItems(node: Node, now: string, onchange: (state: string) => void, onproblem: (error: unknown) => void): MenuItem[] {
  const t = say('people')
  const words = { online: t('online'), away: t('away'), busy: t('busy'), dnd: t('dnd'), offline: t('invisible') }
  return STATES.map((state) => ({
    words: words[state],
    checked: state === now,
    act: () => void node.setPresence(state).then(() => onchange(state), onproblem),
  }))
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
