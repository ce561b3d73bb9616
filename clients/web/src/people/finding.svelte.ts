// Known people, and those that the node finds by what is typed: by pinyin, initials, or because they are of one's domain.

import { onDestroy } from 'svelte'
import { Searching } from '../find/searching.svelte'
import type { Known, Node } from '../rooms/node'
import { found } from './found'

export class Finding {
  readonly #node: () => Node
  readonly #searching: Searching

  /** To be made while a view is made: it ends with it. */
  constructor(node: () => Node) {
    this.#node = node
    this.#searching = new Searching((order, signal) => node().search(order, signal))
    onDestroy(() => this.#searching.close())
  }

  /** What is typed now. */
  ask(typed: string): void {
    const query = typed.trim()
    this.#searching.ask(query === '' ? undefined : { query, sorts: ['people'], limit: 30 })
  }

  /** The answer for what is typed is to come. */
  get busy(): boolean {
    return this.#searching.state === 'asking'
  }

  /** Those known first, as they were before the node said anything. */
  list(typed: string): readonly Known[] {
    const here = found(this.#node().known(), typed)
    if (typed.trim() === '') return here
    const there = new Set(here.map((one) => one.user))
    const more = (this.#searching.found?.people ?? []).filter((one) => !there.has(one.user))
    return [...here, ...more.map((one) => ({ user: one.user, displayName: one.displayName }))]
  }
}
