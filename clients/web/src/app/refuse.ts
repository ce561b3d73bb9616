// What else can be done with a request to talk: its menu, loaded when it is opened.

import { menus } from '../parts/menus.svelte'
import { say } from '../words'
import type { Talk } from './model'

export function refuseMenu(anchor: HTMLElement, talk: Talk, address: string, onback: () => void, onproblem: (error: unknown) => void): void {
  const t = say('talk')
  const domain = address.slice(address.indexOf('@') + 1)
  const block = (whom: string) => () => void talk.block(whom, true).then(onback, onproblem)
  menus.open({ label: t('more'), anchor, align: 'end', items: [
    { words: t('blockPerson', { name: address }), icon: 'block', danger: true, act: block(address) },
    { words: t('blockDomain', { domain }), icon: 'globe', danger: true, act: block(`@${domain}`) },
  ] })
}
