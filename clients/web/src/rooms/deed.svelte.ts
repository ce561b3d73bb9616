// One thing that is being done: whether it goes on, and what came of it. A button is busy while it does; what failed is
// said beside it.

import type { Told } from '../words/errors.svelte'
import { told } from './node'

export class Deed {
  busy = $state(false)
  error = $state.raw<Told | undefined>()

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
    }
  }
}
