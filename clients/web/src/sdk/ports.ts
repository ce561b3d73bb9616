// What passes between a tab and the worker, over whatever carries it (a port of a SharedWorker, a BroadcastChannel).
//
// A tab numbers its calls; the worker answers each once. If the worker is gone in the middle (the tab that kept it was
// closed), calls that do no harm twice are asked of the next one, the others end with `offline`: nobody knows what became
// of them. A message is known by its ticket, so sending it twice does no harm.

import { ApiError, type AccountCalls, type Step, type Told } from './api'

export type HostCall = 'house' | 'invitation' | 'beginSignIn' | 'askPasskey' | 'enter' | 'setting' | 'keepSetting'
export type CallName = keyof AccountCalls | HostCall

export type Up =
  /** The name of the lock that the tab holds as long as it lives. */
  | { readonly k: 'hi'; readonly tab: string }
  | { readonly k: 'listen' }
  | { readonly k: 'call'; readonly id: number; readonly account: string; readonly name: CallName; readonly args: readonly unknown[] }
  /** Nobody waits for the answer of this call any more. */
  | { readonly k: 'end'; readonly id: number }
  /** The tab goes. */
  | { readonly k: 'bye' }
  /** Network or person came back, or the network is gone. */
  | { readonly k: 'network'; readonly online: boolean }

export type Down =
  /** The worker runs: said first of all on a port. */
  | { readonly k: 'here' }
  | { readonly k: 'value'; readonly id: number; readonly value: unknown }
  | { readonly k: 'error'; readonly id: number; readonly code: string; readonly params: Readonly<Record<string, string>> }
  | { readonly k: 'step'; readonly id: number; readonly step: Step }
  | { readonly k: 'told'; readonly told: Told }
  /** Another version of this program waits for this one's accounts. */
  | { readonly k: 'stale' }

const ONCE: ReadonlySet<CallName> = new Set<CallName>([
  'enter', 'finishLink', 'unlink', 'addPasskey', 'removePasskey', 'edit', 'recall', 'retry', 'changePassword', 'newRecoveryCodes', 'invite', 'deleteAccount', 'signOut', 'createGroup', 'act', 'makeLink',
  'join', 'decideInvitation', 'administer',
])

/** Calls that can be ended by who made them: the worker gives them a signal. */
export const ENDABLE: ReadonlySet<CallName> = new Set<CallName>(['search'])

interface Call {
  readonly up: Extract<Up, { k: 'call' }>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: ApiError) => void
  readonly onstep: ((step: Step) => void) | undefined
}

/** A tab's end. `send` carries to whichever worker there is now. */
export class Caller {
  readonly #send: (up: Up) => void
  readonly #calls = new Map<number, Call>()
  readonly #hearers = new Set<(told: Told) => void>()
  #next = 1
  #tab = ''
  onstale: () => void = () => undefined

  constructor(send: (up: Up) => void) {
    this.#send = send
  }

  call(account: string, name: CallName, args: readonly unknown[], onstep?: (step: Step) => void, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(new ApiError('cancelled'))
        return
      }
      const up = { k: 'call', id: this.#next++, account, name, args } as const
      const call: Call = { up, resolve, reject, onstep }
      this.#calls.set(up.id, call)
      this.#ask(call)
      signal?.addEventListener('abort', () => {
        if (!this.#calls.delete(up.id)) return
        this.#send({ k: 'end', id: up.id })
        reject(new ApiError('cancelled'))
      }, { once: true })
    })
  }

  listen(hear: (told: Told) => void): () => void {
    this.#hearers.add(hear)
    this.#send({ k: 'listen' })
    return () => void this.#hearers.delete(hear)
  }

  #ask({ up, reject }: Call): void {
    try {
      this.#send(up)
    } catch (error) {
      // Something that cannot be copied: a mistake of the caller, and of nobody else.
      this.#calls.delete(up.id)
      reject(new ApiError('malformed', { expected: String(error) }))
    }
  }

  down(down: Down): void {
    if (down.k === 'told') {
      for (const hear of [...this.#hearers]) hear(down.told)
      return
    }
    if (down.k === 'stale') {
      this.onstale()
      return
    }
    if (down.k === 'here') return
    const call = this.#calls.get(down.id)
    if (!call) return
    if (down.k === 'step') {
      call.onstep?.(down.step)
      return
    }
    this.#calls.delete(down.id)
    if (down.k === 'value') call.resolve(down.value)
    else call.reject(new ApiError(down.code, down.params))
  }

  /** There is another worker now, that knows nothing of what was asked. `first`: there was none before. */
  again(first: boolean): void {
    if (this.#tab !== '') this.#send({ k: 'hi', tab: this.#tab })
    if (this.#hearers.size > 0) this.#send({ k: 'listen' })
    for (const [id, call] of [...this.#calls]) {
      if (first || !ONCE.has(call.up.name)) this.#ask(call)
      else {
        this.#calls.delete(id)
        call.reject(new ApiError('offline'))
      }
    }
  }

  hi(tab: string): void {
    this.#tab = tab
    this.#send({ k: 'hi', tab })
  }

  network(online: boolean): void {
    this.#send({ k: 'network', online })
  }

  bye(): void {
    this.#send({ k: 'bye' })
  }
}

/** What was thrown, as it travels. */
export function thrown(id: number, error: unknown): Down {
  if (error instanceof ApiError) return { k: 'error', id, code: error.code, params: error.params }
  return { k: 'error', id, code: 'failed', params: { why: error instanceof Error ? error.message : String(error) } }
}
