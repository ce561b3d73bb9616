// The doors to all of it, in one piece: nobody needs it before something is to be said, told or kept later.

import type { Said } from '../app/content'
import type { LaterList, Message, Talk } from '../app/model'
import { menus, type MenuItem } from '../parts/menus.svelte'
import { toasts } from '../parts/toasts.svelte'
import { load, say } from '../words'

async function view<T>(module: () => Promise<{ default: T }>): Promise<T> {
  return (await module()).default
}
export const ready = (): Promise<unknown> => load('later')

export const all = () => view(() => import('./Later.svelte'))
export const sendLater = () => view(() => import('./SendLater.svelte'))
export const remind = () => view(() => import('./Remind.svelte'))
export const due = () => view(() => import('./Due.svelte'))

/** The menu beside the button that sends; `said` undefined: there is nothing that could be sent. */
export function sendMenu(anchor: HTMLElement, said: Said | undefined, on: (said: Said | undefined) => void): void {
  const t = say('later')
  menus.open({ label: t('sendLater'), anchor, side: 'top', align: 'end', items: [
    { words: t('sendLater'), icon: 'clock', off: !said, act: () => on(said) },
    { words: t('scheduledMessages'), icon: 'list', act: () => on(undefined) },
  ] })
}

/** What the menu of the account has of it. */
export function accountItems(show: (tab: LaterList) => void): MenuItem[] {
  const t = say('later')
  return [
    { words: t('savedMessages'), icon: 'star', act: () => show('saved') },
    { words: t('reminders'), icon: 'bell', act: () => show('reminders') },
    { words: t('scheduledMessages'), icon: 'clock', act: () => show('scheduled') },
  ]
}

/** Keeps a message for oneself. */
export async function keep(talk: Talk, conversation: string, message: Message): Promise<void> {
  await talk.later('save', conversation, message.sequence, '')
  toasts.say(say('later')('messageSaved'))
}
