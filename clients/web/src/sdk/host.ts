// The worker's inside: the accounts of this browser at work, and the tabs that listen and call.
//
// Owns the list of accounts and the settings. Each account has a store and a session of its own, which know nothing of
// others. Invariant: a device that a node has made is in the registry before anybody is told of it.

import { ApiError, type AccountCalls, type Entered, type Step, type Told, type Way } from './api'
import { ENDABLE, thrown, type Down, type Up } from './ports'
import { Session } from './session'
import { Registry, Store, forget, type Identity } from './store'
import type { World } from './world'

/** How long `enter` waits for the list of conversations. */
const SYNC_MS = 30_000
/** Accounts of one browser. */
const ACCOUNTS_MAX = 16

interface At {
  readonly session: Session
  readonly store: Store
}

interface Tab {
  readonly send: (down: Down) => void
  listens: boolean
  /** Of calls that can be ended. */
  readonly ends: Map<number, AbortController>
}
/** The ways in: loaded when somebody comes in, which one rarely does. */
const ways = () => import('./enter')


export class Host {
  readonly #world: World
  readonly #registry: Registry
  readonly #accounts = new Map<string, At>()
  readonly #tabs = new Set<Tab>()
  readonly #hearers = new Set<(told: Told) => void>()

  private constructor(world: World, registry: Registry) {
    this.#world = world
    this.#registry = registry
  }

  static async open(world: World): Promise<Host> {
    const host = new Host(world, await Registry.open(world.factory))
    for (const identity of await host.#registry.accounts()) await host.#begin(identity)
    return host
  }

  async #begin(identity: Identity): Promise<At> {
    const store = await Store.open(this.#world.factory, identity.user)
    const session: Session = new Session({
      identity,
      store,
      open: this.#world.openWire,
      tell: (told) => this.#tell(told),
      keep: (changed): Promise<void> => (this.#accounts.get(changed.user)?.session === session ? this.#registry.keep(changed) : Promise.resolve()),
    })
    await session.load()
    const at = { session, store }
    this.#accounts.set(identity.user, at)
    session.start()
    return at
  }

  async #end(user: string, forgotten: boolean): Promise<void> {
    const at = this.#accounts.get(user)
    if (!at) return
    this.#accounts.delete(user)
    at.session.stop()
    await at.store.sure().catch(() => undefined)
    at.store.close()
    if (!forgotten) return
    await this.#registry.remove(user)
    await forget(this.#world.factory, user)
    this.#tell(this.#rows())
  }

  /** Ends everything, as if the last tab were closed. */
  async stop(): Promise<void> {
    for (const user of [...this.#accounts.keys()]) await this.#end(user, false)
  }

  #rows(): Told {
    return { kind: 'accounts', rows: [...this.#accounts.values()].map((at) => at.session.row()) }
  }

  #tell(told: Told): void {
    for (const hear of [...this.#hearers]) hear(told)
    for (const tab of this.#tabs) if (tab.listens) tab.send({ k: 'told', told })
  }

  /** All tabs hear that another version waits. */
  stale(): void {
    for (const tab of this.#tabs) tab.send({ k: 'stale' })
  }

  /** A tab came. What it says goes into the function that is given back; `leave` when it is gone. */
  attach(send: (down: Down) => void): { up: (up: Up) => void; leave: () => void } {
    const tab: Tab = { send, listens: false, ends: new Map() }
    this.#tabs.add(tab)
    const leave = () => {
      this.#tabs.delete(tab)
      for (const end of tab.ends.values()) end.abort()
    }
    return { up: (up) => (up.k === 'bye' ? leave() : this.#up(tab, up)), leave }
  }

  #up(tab: Tab, up: Up): void {
    switch (up.k) {
      case 'listen':
        tab.listens = true
        this.#begins((told) => tab.send({ k: 'told', told }))
        break
      case 'network':
        for (const { session } of this.#accounts.values()) (up.online ? session.wake() : session.away())
        break
      case 'call': {
        const end = ENDABLE.has(up.name) ? new AbortController() : undefined
        if (end) tab.ends.set(up.id, end)
        this.#call(up, (step) => tab.send({ k: 'step', id: up.id, step }), end?.signal).then(
          (value) => tab.send({ k: 'value', id: up.id, value }),
          (error: unknown) => tab.send(thrown(up.id, error)),
        ).finally(() => tab.ends.delete(up.id))
        break
      }
      case 'end':
        tab.ends.get(up.id)?.abort()
        break
      default:
    }
  }

  /** What a listener hears first. */
  #begins(hear: (told: Told) => void): void {
    hear({ kind: 'keeping', isKept: this.#world.isKept })
    hear(this.#rows())
    for (const [account, { session }] of this.#accounts) {
      hear({ kind: 'conversations', account, rows: session.book.all(), whole: true })
      hear({ kind: 'profiles', account, rows: session.book.profiles() })
      hear({ kind: 'persons', account, rows: session.book.persons(), whole: true })
      if (session.book.own) hear({ kind: 'own', account, row: session.book.own })
    }
  }

  /** Listens without a tab. */
  listen(hear: (told: Told) => void): () => void {
    this.#hearers.add(hear)
    this.#begins(hear)
    return () => void this.#hearers.delete(hear)
  }

  async #call(up: Extract<Up, { k: 'call' }>, onstep: (step: Step) => void, signal?: AbortSignal): Promise<unknown> {
    switch (up.name) {
      case 'house': {
        const { domain, displayName, registration, signIn } = await (await import('./find')).house(this.#world)
        return { domain, displayName, registration, signIn }
      }
      case 'invitation':
        return (await ways()).lookAtInvitation(this.#world, String(up.args[0]))
      case 'beginSignIn':
        return (await ways()).beginSignIn(this.#world, String(up.args[0]), up.args[1] as Uint8Array<ArrayBuffer>)
      case 'askPasskey':
        return (await ways()).askPasskey(this.#world)
      case 'enter':
        return this.enter(up.args[0] as Way, onstep)
      case 'setting':
        return this.#registry.setting(String(up.args[0]))
      case 'keepSetting': {
        const name = String(up.args[0])
        await this.#registry.keepSetting(name, up.args[1])
        this.#tell({ kind: 'setting', name, value: up.args[1] })
        return undefined
      }
      default:
        return this.#ofAccount(up, signal)
    }
  }

  async #ofAccount(up: Extract<Up, { k: 'call' }>, signal?: AbortSignal): Promise<unknown> {
    const at = this.#accounts.get(up.account)
    if (!at) throw new ApiError('not-signed-in')
    if (up.name === 'signOut') return this.#signOut(at, up.args[0] === true)
    const calls: Record<string, unknown> = at.session.calls as unknown as Record<string, unknown>
    const call = calls[up.name]
    if (typeof call !== 'function' || up.name === ('constructor' as string)) throw new ApiError('not-allowed-here', { what: up.name })
    const value: unknown = await call.apply(calls, signal ? [up.args[0], signal] : [...up.args])
    if (up.name === 'deleteAccount') await this.#end(up.account, true)
    return value
  }

  /** What is kept here can be forgotten without a connection; the device then ends by itself when the node hears of it. */
  async #signOut(at: At, forgets: boolean): Promise<void> {
    const calls: AccountCalls = at.session.calls
    try {
      await calls.signOut(forgets)
    } catch (error) {
      if (!forgets) throw error
    }
    if (forgets) await this.#end(at.session.me, true)
  }

  account(user: string): AccountCalls | undefined {
    return this.#accounts.get(user)?.session.calls
  }

  /** Signs in, registers or recovers, and begins. An account that is here already goes on as the new device. */
  async enter(way: Way, onstep: (step: Step) => void): Promise<Entered> {
    if (this.#accounts.size >= ACCOUNTS_MAX) throw new ApiError('too-many', { what: 'accounts', max: String(ACCOUNTS_MAX) })
    const { identity, recoveryCodes } = await (await ways()).enter(this.#world, way, onstep)
    await this.#registry.keep(identity)
    const there = this.#accounts.get(identity.user)
    if (there) await there.session.renew(identity)
    else await this.#begin(identity)
    this.#tell(this.#rows())
    await this.#synced(identity.user, onstep)
    return { account: identity.user, user: identity.user, recoveryCodes }
  }

  /** Ends when the list of conversations is whole, or cannot be for now: one is signed in either way. */
  #synced(user: string, onstep: (step: Step) => void): Promise<void> {
    onstep({ step: 'sync', state: 'now', what: user })
    return new Promise((resolve) => {
      const end = (step: Step) => {
        clearTimeout(patience)
        this.#hearers.delete(look)
        onstep(step)
        resolve()
      }
      const look = () => {
        const row = this.#accounts.get(user)?.session.row()
        if (!row || row.link.state === 'signed-out') {
          const error = row?.link.state === 'signed-out' ? row.link.problem : { code: 'not-signed-in', params: {} }
          end({ step: 'sync', state: 'failed', what: user, error })
        } else if (row.synced && row.link.state === 'online') end({ step: 'sync', state: 'done', what: user })
      }
      const patience = setTimeout(() => {
        end({ step: 'sync', state: 'failed', what: user, error: { code: 'unreachable', params: { what: user, why: 'no answer' } } })
      }, SYNC_MS)
      this.#hearers.add(look)
      look()
    })
  }
}
