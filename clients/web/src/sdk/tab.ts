// What a tab has of the SDK: every call goes to the worker.

import type { AccountCalls, Entered, House, InvitationShown, PasskeyBegun, Sdk, Step, Told, User, Way } from './api'
import type { CallName, Caller } from './ports'

export class TabSdk implements Sdk {
  readonly #caller: Caller
  readonly #sort: () => Sdk['sort']
  readonly #accounts = new Map<User, AccountCalls>()

  constructor(caller: Caller, sort: () => Sdk['sort']) {
    this.#caller = caller
    this.#sort = sort
  }

  get sort(): Sdk['sort'] {
    return this.#sort()
  }

  listen(hear: (told: Told) => void): () => void {
    return this.#caller.listen(hear)
  }

  account(user: User): AccountCalls {
    let calls = this.#accounts.get(user)
    if (!calls) {
      calls = new Proxy({}, {
        // It is no promise, whoever asks.
        get: (_, name) =>
          typeof name !== 'string' || name === 'then' ? undefined : (...args: unknown[]) => this.#call(user, name as CallName, args),
      }) as AccountCalls
      this.#accounts.set(user, calls)
    }
    return calls
  }

  /** A signal cannot be copied: it stays on this side, and what it says is told. */
  #call(user: User, name: CallName, args: readonly unknown[]): Promise<unknown> {
    const signal = args.find((one) => one instanceof AbortSignal)
    return this.#caller.call(user, name, args.filter((one) => !(one instanceof AbortSignal)), undefined, signal)
  }

  house(): Promise<House> {
    return this.#caller.call('', 'house', []) as Promise<House>
  }

  beginSignIn(provider: string, challenge: Uint8Array): Promise<string> {
    return this.#caller.call('', 'beginSignIn', [provider, challenge]) as Promise<string>
  }

  askPasskey(): Promise<PasskeyBegun> {
    return this.#caller.call('', 'askPasskey', []) as Promise<PasskeyBegun>
  }

  invitation(link: string): Promise<InvitationShown> {
    return this.#caller.call('', 'invitation', [link]) as Promise<InvitationShown>
  }

  enter(way: Way, onstep: (step: Step) => void): Promise<Entered> {
    return this.#caller.call('', 'enter', [{ ...way }], onstep) as Promise<Entered>
  }

  setting(name: string): Promise<unknown> {
    return this.#caller.call('', 'setting', [name])
  }

  async keepSetting(name: string, value: unknown): Promise<void> {
    await this.#caller.call('', 'keepSetting', [name, value])
  }
}
