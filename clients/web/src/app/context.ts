// The account that the views below belong to.

import { getContext, setContext } from 'svelte'
import type { Talk } from './model'

const KEY = Symbol('talk')

/** A function, so that switching the account reaches every view. */
export const giveTalk = (talk: () => Talk): void => { setContext(KEY, talk) }
export const useTalk = (): (() => Talk) => getContext<() => Talk>(KEY)
