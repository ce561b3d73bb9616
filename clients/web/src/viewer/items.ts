// What can be seen in full in a conversation: pictures and videos, one after the other. Pure.

import type { Picture, Said, SaidOf } from '../app/content'
import type { Message } from '../app/model'
import type { Place } from '../files/door.svelte'

export interface Item {
  readonly key: string
  readonly place: Place
  readonly picture?: Picture | undefined
  readonly video?: SaidOf<'video'> | undefined
  /** That it is of; none for what is inside of another. */
  readonly message?: Message | undefined
}

export function itemsOf(said: Said, place: Place, key: string, message?: Message): Item[] {
  if (said.burnS) return []
  if (said.kind === 'album') return said.pictures.map((picture, i) => ({ key: `${key} ${i}`, place, picture, message }))
  if (said.kind === 'video') return [{ key: `${key} 0`, place, video: said, message }]
  return []
}

/** All of a conversation that is loaded, oldest first. */
export function itemsAmong(messages: readonly Message[], conversation: string): Item[] {
  return messages.flatMap((one) => (one.recalled || one.expired ? [] : itemsOf(one.said, { conversation, sequence: one.sequence }, one.key, one)))
}
