// What the worker has told this tab: accounts, conversations, profiles, presence. Reading is reactive; nothing is decided.

import { SvelteMap } from 'svelte/reactivity'
import type { AccountRow, ConversationRow, MessageRow, Sdk, Told, User } from '../sdk/api'

export type Fresh = (account: User, message: MessageRow) => void

export class Seen {
  /** Whether the accounts have been told once: before, nobody knows whether there are any. */
  heard = $state(false)
  accounts = $state.raw<readonly AccountRow[]>([])
  readonly #conversations = new SvelteMap<User, ReadonlyMap<string, ConversationRow>>()
  readonly #names = new SvelteMap<string, string>()
  readonly #presence = new SvelteMap<string, string>()
  /** Invitations into groups that came while this tab was open. */
  invitations = $state(0)
  readonly #fresh: Fresh[] = []
  readonly close: () => void

  constructor(sdk: Sdk) {
    this.close = sdk.listen((told) => this.#hear(told))
  }

  onfresh(hear: Fresh): void {
    this.#fresh.push(hear)
  }
  account(user: User | undefined): AccountRow | undefined {
    return this.accounts.find((a) => a.user === user)
  }
  conversations(account: User): readonly ConversationRow[] {
    return [...(this.#conversations.get(account)?.values() ?? [])]
  }
  conversation(account: User, id: string): ConversationRow | undefined {
    return this.#conversations.get(account)?.get(id)
  }
  /** As people are called; the name in the address for those without one. */
  name(account: User, user: string): string {
    return this.#names.get(`${account} ${user}`) || user.split('@')[0] || user
  }
  presence(account: User, user: string): string | undefined {
    return this.#presence.get(`${account} ${user}`)
  }

  #hear(told: Told): void {
    switch (told.kind) {
      case 'accounts':
        this.accounts = told.rows
        this.heard = true
        for (const row of told.rows) this.#called(row.user, row.user, row.me.displayName)
        break
      case 'account':
        this.accounts = this.accounts.some((a) => a.user === told.row.user)
          ? this.accounts.map((a) => (a.user === told.row.user ? told.row : a))
          : [...this.accounts, told.row]
        this.#called(told.row.user, told.row.user, told.row.me.displayName)
        break
      case 'conversations': {
        const rows = new Map(this.#conversations.get(told.account))
        for (const row of told.rows) {
          rows.set(row.id, row)
          if (row.peer) this.#called(told.account, row.peer.user, row.peer.displayName)
        }
        this.#conversations.set(told.account, rows)
        break
      }
      case 'profiles':
        for (const row of told.rows) this.#called(told.account, row.user, row.displayName)
        break
      case 'presence':
        this.#presence.set(`${told.account} ${told.user}`, told.state)
        break
      case 'invitation':
        this.invitations += 1
        break
      case 'messages':
        if (told.fresh) for (const row of told.rows) for (const hear of this.#fresh) hear(told.account, row)
        break
      default:
        break
    }
  }
  #called(account: User, user: string, name: string): void {
    if (name) this.#names.set(`${account} ${user}`, name)
  }
}
