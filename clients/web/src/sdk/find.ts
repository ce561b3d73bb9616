// Finding a domain from a browser. The domain of this page is asked at its own origin; another one at its name, by its
// `.well-known`, whose record says its addresses. Web certificates say who answers: a browser cannot compare link keys.
// Each step is told as it begins and ends.

import { fromBinary } from '@bufbuild/protobuf'
import { ApiError, type SignInWayRow, type Step } from './api'
import { CharterSchema, RecordSchema, SignedCharterSchema, SignedRecordSchema } from './made/startalk/trust_pb'
import type { World } from './world'

/** As `RECORD_BYTES_MAX` of the specification: nothing longer is read. */
const RECORD_BYTES_MAX = 64 * 1024
const PATIENCE_MS = 10_000

export interface Found {
  readonly domain: string
  readonly displayName: string
  readonly registration: string
  readonly signIn: readonly SignInWayRow[]
  /** WebSocket addresses, the likeliest first. */
  readonly servers: readonly string[]
}

/** What a record says; undefined: it is none. Foreign bytes never throw. */
export function readRecord(bytes: Uint8Array): Omit<Found, 'servers'> & { readonly hosts: readonly string[] } | undefined {
  if (bytes.byteLength === 0 || bytes.byteLength > RECORD_BYTES_MAX) return undefined
  try {
    const record = fromBinary(RecordSchema, fromBinary(SignedRecordSchema, bytes).record)
    const charter = fromBinary(CharterSchema, fromBinary(SignedCharterSchema, record.charter).charter)
    if (charter.domain === '' || charter.gone) return undefined
    const hosts = record.endpoints
      .filter((e) => e.host !== '' && e.port > 0 && e.port < 65_536)
      .map((e) => `${e.host.includes(':') ? `[${e.host}]` : e.host}:${e.port}`)
    const signIn = record.signIn.map(({ kind, id, displayName }) => ({ kind, id, displayName }))
    return { domain: charter.domain, displayName: record.displayName, registration: record.registration, signIn, hosts }
  } catch {
    return undefined
  }
}

/** The address of an origin's WebSocket. */
export function socketOf(origin: string): string {
  return `${origin.replace(/^http/, 'ws')}/v1/ws`
}

async function ask(world: World, origin: string): Promise<Uint8Array> {
  const host = origin.replace(/^https?:\/\//, '')
  let answer: Response
  try {
    answer = await world.fetch(`${origin}/.well-known/startalk/domain`, {
      credentials: 'omit', cache: 'no-store', referrerPolicy: 'no-referrer', signal: AbortSignal.timeout(PATIENCE_MS),
    })
  } catch {
    // A browser does not say more: no such name, refused, no certificate, or a server that lets no other page ask.
    throw new ApiError('unreachable', { what: host, why: 'no answer' })
  }
  if (!answer.ok) throw new ApiError('unreachable', { what: host, why: `HTTP ${answer.status}` })
  return new Uint8Array(await answer.arrayBuffer())
}

/** What the origin of this page is. */
export async function house(world: World): Promise<Found> {
  const bytes = await ask(world, world.origin)
  const record = readRecord(bytes)
  if (!record) throw new ApiError('malformed', { expected: 'a domain record' })
  return { ...record, servers: [socketOf(world.origin)] }
}

/** Finds a domain; empty: that of this page. */
export async function find(world: World, asked: string, onstep: (step: Step) => void): Promise<Found> {
  const domain = asked.toLowerCase()
  let home: Found | undefined
  if (world.origin !== '') {
    const host = world.origin.replace(/^https?:\/\//, '')
    const own = domain === '' || domain === host
    home = await step(onstep, 'wellKnown', host, own, () => house(world))
    if (home && (own || home.domain === domain)) {
      onstep({ step: 'record', state: 'done', what: home.domain })
      return home
    }
  }
  // A key name is asked of nobody: DNS does not know it.
  if (domain === '' || domain.endsWith('.startalk.alt')) {
    const why = new ApiError('unknown-domain', { domain, steps: `${world.origin.replace(/^https?:\/\//, '')}: ${home?.domain ?? '—'}` })
    onstep({ step: 'wellKnown', state: 'failed', what: domain, error: { code: why.code, params: why.params } })
    throw why
  }
  const bytes = await step(onstep, 'wellKnown', domain, true, () => ask(world, `https://${domain}`))
  const record = await step(onstep, 'record', domain, true, async () => {
    const read = bytes && readRecord(bytes)
    if (!read) throw new ApiError('malformed', { expected: 'a domain record' })
    if (read.domain !== domain.replace(/:\d+$/, '')) throw new ApiError('wrong-domain', { domain: read.domain, asked: domain })
    return read
  })
  if (!record) throw new ApiError('internal')
  const servers = new Set([socketOf(`https://${domain}`), ...record.hosts.map((h) => socketOf(`https://${h}`))])
  return { ...record, servers: [...servers] }
}

/** Runs a step and tells it. One that is not needed fails without ending the search. */
export async function step<T>(
  onstep: (step: Step) => void, name: Step['step'], what: string, needed: boolean, run: () => Promise<T>,
): Promise<T | undefined> {
  onstep({ step: name, state: 'now', what })
  try {
    const value = await run()
    onstep({ step: name, state: 'done', what })
    return value
  } catch (error) {
    const problem = error instanceof ApiError ? error : new ApiError('failed', { why: String(error) })
    onstep({ step: name, state: 'failed', what, error: { code: problem.code, params: problem.params } })
    if (needed) throw problem
    return undefined
  }
}
