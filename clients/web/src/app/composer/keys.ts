// What Enter means while somebody writes. Input methods take Enter first: to choose a candidate, not to send.
//
// Three signs say that an input method has the key: `isComposing`, keyCode 229, and, in Safari, a keydown that comes just
// after `compositionend` for the same Enter. The last is told by the two events having one and the same moment of input.

import type { SendKey } from '../../theme/look.svelte'

export interface Key {
  key: string
  keyCode: number
  isComposing: boolean
  ctrlKey: boolean
  metaKey: boolean
  shiftKey: boolean
  altKey: boolean
  timeStamp: number
}

/** Events of one key press lie closer than this; a person's next press does not. */
const SAME_PRESS_MS = 30

export class Composition {
  #now = false
  #ended = -Infinity

  start(): void {
    this.#now = true
  }
  end(timeStamp: number): void {
    this.#now = false
    this.#ended = timeStamp
  }
  /** Whether an input method is at work. */
  get now(): boolean {
    return this.#now
  }
  /** Whether the key belongs to the input method. */
  has(key: Key): boolean {
    if (this.#now || key.isComposing || key.keyCode === 229) {
      // This was the key of the end, if there was one: the next Enter is a person's.
      if (!this.#now) this.#ended = -Infinity
      return true
    }
    const same = key.timeStamp - this.#ended < SAME_PRESS_MS
    // Only one key belongs to the end of a composition; the next Enter is a person's.
    this.#ended = -Infinity
    return same
  }
}

export type Does = 'send' | 'newline' | 'none'

export function enterDoes(key: Key, how: SendKey, composition: Composition): Does {
  if (key.key !== 'Enter') return 'none'
  if (composition.has(key)) return 'none'
  const chord = key.ctrlKey || key.metaKey
  if (key.altKey) return 'newline'
  if (how === 'ctrl-enter') return chord ? 'send' : 'newline'
  return key.shiftKey || chord ? 'newline' : 'send'
}
