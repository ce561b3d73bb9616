// The account that the views below belong to.

import { getContext, setContext, type Component } from 'svelte'
import type { Place } from '../files/door.svelte'
import type { Said } from './content'
import type { Message, Talk } from './model'

const KEY = Symbol('talk')

/** A function, so that switching the account reaches every view. */
export const giveTalk = (talk: () => Talk): void => { setContext(KEY, talk) }
export const useTalk = (): (() => Talk) => getContext<() => Talk>(KEY)

/** What the views of a conversation's messages ask of the whole around them. */
export interface Stage {
  /** The messages that are loaded, ascending. */
  messages(): readonly Message[]
  /** Opens pictures and videos in full; `index`: of the pictures of an album. `place`: the message through which its files are read. */
  view(place: Place, said: Said, index: number): void
  /** Opens a dialog that is loaded now. */
  open(load: () => Promise<Component<any>>, props: Record<string, unknown>): void
  person(user: string): void
  /** Something went wrong that is to be told. */
  problem(error: unknown): void
}
const STAGE = Symbol('stage')
export const giveStage = (stage: Stage): void => { setContext(STAGE, stage) }
export const useStage = (): Stage => getContext<Stage>(STAGE)
