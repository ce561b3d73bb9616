// One thing that is looked for at a time: asks the node when one pauses, forgets what was asked before, goes on page by page.
// What was found stays until there is something newer, so that nothing flickers.

import type { Found, Problem, SearchOrder, Talk } from '../app/model'

/** After the last letter, before the node is asked. */
const PAUSE_MS = 80
/** While the node makes its index it is asked again. */
const AGAIN_MS = 2000

/** `offline`: there is no connection; what is known here is all there is. */
export type State = 'nothing' | 'asking' | 'there' | 'offline' | 'failed'

export class Searching {
  state = $state<State>('nothing')
  /** What came last; of `order` if the state is `there`. */
  found = $state.raw<Found>()
  order = $state.raw<SearchOrder>()
  problem = $state.raw<Problem>()
  goesOn = $state(false)

  readonly #search: Talk['search']
  #asked = ''
  #timer: ReturnType<typeof setTimeout> | undefined
  #end: AbortController | undefined

  constructor(search: Talk['search']) {
    this.#search = search
  }

  /** undefined: nothing is looked for any more. The same again is not asked twice, unless it failed. */
  ask(order: SearchOrder | undefined): void {
    const asked = order ? JSON.stringify(order) : ''
    if (asked === this.#asked && this.state !== 'offline' && this.state !== 'failed') return
    this.#stop()
    this.#asked = asked
    this.order = order
    if (!order) {
      this.state = 'nothing'
      this.found = undefined
      return
    }
    this.state = 'asking'
    this.#timer = setTimeout(() => void this.#now(order), PAUSE_MS)
  }

  /** The messages after those that are here. */
  async more(): Promise<void> {
    const { order, found } = this
    if (!order || !found?.next || this.goesOn || this.state !== 'there') return
    this.goesOn = true
    const end = this.#end
    try {
      const next = await this.#search({ ...order, sorts: ['messages'], next: found.next }, end?.signal)
      if (this.found === found) this.found = { ...found, messages: [...found.messages, ...next.messages], next: next.next }
    } catch (error) {
      if (end === this.#end && codeOf(error) !== 'cancelled') this.#failed(error)
    } finally {
      this.goesOn = false
    }
  }

  close(): void {
    this.#stop()
    this.#asked = ''
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#end?.abort()
    this.#end = undefined
  }

  async #now(order: SearchOrder): Promise<void> {
    const end = (this.#end = new AbortController())
    try {
      const found = await this.#search(order, end.signal)
      if (end !== this.#end) return
      this.found = found
      this.problem = undefined
      this.state = 'there'
      if (found.building !== undefined) this.#timer = setTimeout(() => void this.#now(order), AGAIN_MS)
    } catch (error) {
      if (end === this.#end && codeOf(error) !== 'cancelled') this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.found = undefined
    const known = error as Partial<Problem>
    this.problem = { code: known.code ?? 'internal', params: known.params ?? {} }
    this.state = known.code === 'offline' ? 'offline' : 'failed'
  }
}

const codeOf = (error: unknown): string | undefined => (error as Partial<Problem> | undefined)?.code
