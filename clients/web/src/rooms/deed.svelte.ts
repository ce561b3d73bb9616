// One thing that is being done: whether it goes on, and what came of it. A button is busy while it does; what failed is
// said beside it.

import type { Told } from '../words/errors.svelte'
import { told } from './node'

export class Deed {
  busy = $state(false)
  error = $state.raw<Told | undefined>()
  #next: (() => Promise<unknown>) | undefined

  /** Does it, unless it is being done. True: it went well. */
  async run(act: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false
    this.busy = true
    this.error = undefined
    try {
      await act()
      return true
    } catch (error) {
      this.error = told(error)
      return false
    } finally {
      this.busy = false
      const next = this.#next
      this.#next = undefined
      if (next) void this.run(next)
    }
  }

  /** Does it after what is being done; of several that wait, the last. For what is set, where the last word counts. */
  last(act: () => Promise<unknown>): void {
    if (this.busy) this.#next = act
    else void this.run(act)
  }
}
