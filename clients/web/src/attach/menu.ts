// What can be sent besides words: the menu of the button beside where one writes.

import type { Component } from 'svelte'
import type { Conversation, Message, Talk } from '../app/model'
import { menus, type MenuItem } from '../parts/menus.svelte'
import { load, say } from '../words'
import { BURN_CHOICES, inShort } from '../kinds/burning'
import { pickFiles } from './pick'

export interface Around {
  readonly talk: Talk
  readonly conversation: Conversation
  readonly answers: Message | undefined
  /** What is written already. */
  readonly typed: string
  readonly open: (load: () => Promise<Component<any>>, props: Record<string, unknown>) => void
  readonly files: (files: File[]) => void
  readonly sent: () => void
  /** Whether the signs of formatting are shown, and showing them: where there is no room for its own button. */
  readonly formatting?: (() => void) | undefined
}

const MEDIA = 'image/*,video/*'

export async function attachMenu(at: HTMLElement, around: Around): Promise<void> {
  await load('media')
  const t = say('media')
  const w = say('talk')
  const { talk, conversation, answers } = around
  const props = { talk, conversation, answers, onsent: around.sent }
  const pick = (accept: string) => () => void pickFiles(accept).then((files) => { if (files.length > 0) around.files(files) })
  const items: MenuItem[] = [
    { words: t('attachMedia'), icon: 'image', act: pick(MEDIA) },
    { words: t('attachFile'), icon: 'file', act: pick('') },
    { words: t('attachPlace'), icon: 'place', act: () => around.open(async () => (await import('./PlaceDialog.svelte')).default, props) },
    { words: t('attachContact'), icon: 'card', act: () => around.open(async () => (await import('./ContactDialog.svelte')).default, props) },
    { words: t('attachCode'), icon: 'code-block', act: () => around.open(async () => (await import('./CodeDialog.svelte')).default, { ...props, onfiles: around.files }) },
  ]
  if (!conversation.group && !conversation.toMyself) items.push({ words: t('shake'), icon: 'bell', act: () => { talk.send(conversation.id, { kind: 'shake' }); around.sent() } })
  if (!conversation.group && !conversation.toMyself) {
    const now = talk.burning(conversation.id)
    const choices = [0, ...BURN_CHOICES].map((seconds): MenuItem => ({
      words: seconds === 0 ? t('burnOff') : inShort(seconds).trim(), checked: seconds === now, act: () => talk.setBurning(conversation.id, seconds),
    }))
    // A menu of its own, when this one has closed: beside it there is no room on a phone.
    items.push({ words: t('burnOffer'), icon: 'flame', act: () => setTimeout(() => menus.open({ label: t('burnOffer'), anchor: at, side: 'top', align: 'start', items: choices })) })
  }
  if (around.formatting) items.push({ rule: true }, { words: w('showFormatting'), icon: 'text', act: around.formatting })
  menus.open({ label: t('attach'), anchor: at, side: 'top', align: 'start', items })
}
