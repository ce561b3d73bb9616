// One list of what a conversation holds, as far as it was asked for.

import type { Message, Talk } from '../app/model'

export type Tab = 'media' | 'files' | 'voice' | 'links'
/** Sums of 1 pictures, 2 videos, 4 voice, 8 files, 16 links; docs/client-protocol.md. */
export const KINDS: Readonly<Record<Tab, number>> = { media: 1 | 2, files: 8, voice: 4, links: 16 }

export class Listed {
  /** The newest first. */
  messages = $state.raw<readonly Message[]>([])
  whole = $state(false)
  busy = $state(false)
  #begun = false

  constructor(private readonly talk: Talk, private readonly conversation: string, private readonly kinds: number, private readonly onproblem: (error: unknown) => void) {}

  begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.more()
  }
  more(): void {
    if (this.busy || this.whole) return
    this.busy = true
    const before = this.messages.at(-1)?.sequence ?? 0
    this.talk.filesIn(this.conversation, this.kinds, before).then(
      (found) => {
        this.messages = [...this.messages, ...found.messages]
        this.whole = found.whole || found.messages.length === 0
      },
      (error: unknown) => {
        this.whole = true
        this.onproblem(error)
      },
    ).finally(() => (this.busy = false))
  }
}
