// How long a message stays once it was opened.

import { say } from '../words'

/** What can be chosen, in seconds. */
export const BURN_CHOICES = [5, 30, 60, 3600, 86_400] as const

const UNITS = [[86_400, 'days'], [3600, 'hours'], [60, 'minutes'], [1, 'seconds']] as const

/** In the largest unit that it fills, as one says it. */
export function inShort(seconds: number): string {
  const [length, words] = UNITS.find(([length]) => seconds >= length) ?? UNITS[3]
  return say('media')(words, { n: Math.ceil(seconds / length) })
}
