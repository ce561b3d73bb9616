// The doors to all of it, in one piece: nobody needs it before something is to be said, told or kept later.

import type { Component } from 'svelte'
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

/** What stands on the screen by itself. */
export interface Standing {
  readonly Due: Component<any>
  readonly Waiting: Component<any>
  /** Of a message that is saved, as far as that list was read. */
  unkeepWords(talk: Talk, conversation: string, message: Message): string | undefined
}
export async function standing(): Promise<Standing> {
  const [due, waiting, lists] = await Promise.all([import('./Due.svelte'), import('./Waiting.svelte'), import('./lists.svelte')])
  return {
    Due: due.default, Waiting: waiting.default,
    unkeepWords: (talk, conversation, message) => (lists.savedAs(talk, conversation, message) ? say('later')('removeSaved') : undefined),
  }
}

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

/** Keeps a message for oneself, or no longer. */
export async function keep(talk: Talk, conversation: string, message: Message): Promise<void> {
  const { savedAs } = await import('./lists.svelte')
  const saved = savedAs(talk, conversation, message)
  if (saved) await talk.later('removeSaved', saved.number)
  else await talk.later('save', conversation, message.sequence, '')
  toasts.say(say('later')(saved ? 'notSaved' : 'messageSaved'))
}
