// Members of a group who are found by the node: by pinyin, initials, or what else it knows. What was found for fewer letters is
// shown until there is something newer, so that the list does not blink.

import type { Person, Talk } from '../model'

/** After the last letter, before the node is asked. */
const PAUSE_MS = 60
const FOUND_MAX = 20

export class Called {
  readonly #search: Talk['search']
  readonly #conversation: string
  #word = ''
  #found: readonly Person[] = []
  #waits = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #end: AbortController | undefined

  constructor(search: Talk['search'], conversation: string) {
    this.#search = search
    this.#conversation = conversation
  }

  /** Who is found by now; `onmore` is called once when the node has answered for this word. */
  of(word: string, onmore: () => void): readonly Person[] {
    if (word === this.#word) return this.#found
    if (!word.startsWith(this.#word) || this.#word === '') this.#found = []
    this.#stop()
    this.#word = word
    this.#waits = true
    const end = (this.#end = new AbortController())
    this.#timer = setTimeout(() => {
      this.#search({ query: word, sorts: ['people'], conversation: this.#conversation, limit: FOUND_MAX }, end.signal).then(
        (found) => found.people.map((one) => ({ user: one.user, name: one.displayName || one.user.split('@')[0] || one.user })),
        () => [], // no connection, or an older node: what is known here is all there is
      ).then((people) => {
        if (end !== this.#end) return
        this.#found = people
        this.#waits = false
        onmore()
      })
    }, PAUSE_MS)
    return this.#found
  }

  /** Whether the answer for this word is to come. */
  waits(word: string): boolean {
    return this.#waits && word === this.#word
  }

  close(): void {
    this.#stop()
    this.#word = ''
    this.#found = []
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#end?.abort()
    this.#end = undefined
    this.#waits = false
  }
}
