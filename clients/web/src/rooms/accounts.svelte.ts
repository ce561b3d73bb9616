// The accounts of this browser, and for each that is looked at what talks of it.

import { Account } from '../app/account.svelte'
import type { AccountRow, MessageRow, Sdk, Told } from '../sdk/api'

export class Accounts {
  rows = $state.raw<readonly AccountRow[]>([])
  /** Whether the worker has told at all: before, nobody knows whether there are any. */
  heard = $state(false)
  /** False: this browser keeps nothing. */
  isKept = $state(true)
  readonly #talks = new Map<string, Account>()
  readonly #end: () => void
  /** New messages, for notifications. */
  onfresh: ((talk: Account, rows: readonly MessageRow[]) => void) | undefined

  constructor(readonly sdk: Sdk) {
    this.#end = sdk.listen((told) => this.#hear(told))
  }
  close(): void {
    this.#end()
    for (const talk of this.#talks.values()) talk.close()
  }
  /** Made when it is first asked for. */
  talk(user: string): Account {
    let talk = this.#talks.get(user)
    if (!talk) this.#talks.set(user, (talk = new Account(this.sdk, user)))
    return talk
  }

  #hear(told: Told): void {
    if (told.kind === 'keeping') this.isKept = told.isKept
    else if (told.kind === 'accounts') {
      this.rows = told.rows
      this.heard = true
      for (const [user, talk] of this.#talks) {
        if (told.rows.some((row) => row.user === user)) continue
        talk.close()
        this.#talks.delete(user)
      }
    } else if (told.kind === 'account') {
      this.rows = this.rows.some((row) => row.user === told.row.user)
        ? this.rows.map((row) => (row.user === told.row.user ? told.row : row))
        : [...this.rows, told.row]
    } else if (told.kind === 'messages' && told.fresh) this.onfresh?.(this.talk(told.account), told.rows)
  }
}
