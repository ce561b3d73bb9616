// The link in what is being written that a card could be made of, and the card.

import type { SaidOf } from '../app/content'
import { described } from './orders'

const LINK = /https:\/\/[^\s<>"]+/u
/** What ends a sentence, and no address. */
const AFTER = /[.,;:!?)\]}，。；：！？）】》”’]+$/u

/** The first one, if it is whole; undefined: there is none. */
export function linkIn(typed: string): string | undefined {
  const found = LINK.exec(typed)?.[0].replace(AFTER, '')
  if (!found || !URL.canParse(found)) return undefined
  const { host } = new URL(found)
  return host.includes('.') || host.startsWith('localhost') || host.includes(':') ? found : undefined
}

interface Told { readonly title?: string; readonly description?: string; readonly site?: string }

/** From what the node says of the page (docs/client-protocol.md); undefined: no card can be made of it. */
export function cardOf(url: string, json: unknown): SaidOf<'link'> | undefined {
  const told = json as Told
  if (!told.title) return undefined
  const shown = described(json, '')
  const picture = shown?.picture && { ...shown.picture, file: shown.file }
  return { kind: 'link', url, title: told.title, description: told.description ?? '', site: told.site ?? '', ...(picture ? { picture } : {}) }
}
