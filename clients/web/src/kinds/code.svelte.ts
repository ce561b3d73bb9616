// How blocks of code are shown: whether long lines are broken, for all of them and kept in this browser; and which of the
// long ones were opened, as long as the page lives.

import type { Said } from '../app/content'

const KEPT = 'startalk.wrap'

class Code {
  wraps = $state(typeof localStorage !== 'undefined' && localStorage.getItem(KEPT) === 'yes')
  readonly #opened = new WeakSet<Said>()

  wrap(on: boolean): void {
    this.wraps = on
    if (on) localStorage.setItem(KEPT, 'yes')
    else localStorage.removeItem(KEPT)
  }
  whole(said: Said): boolean {
    return this.#opened.has(said)
  }
  open(said: Said, on: boolean): void {
    if (on) this.#opened.add(said)
    else this.#opened.delete(said)
  }
}

export const code = new Code()
