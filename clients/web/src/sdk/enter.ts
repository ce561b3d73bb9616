// The ways in: by password, by recovery code, by a link or open registration. Ends with what is to be kept of the new
// device; the connection that was used is closed, and the session opens its own with the token.

import { ApiError, type InvitationShown, type PasskeyBegun, type Step, type Way } from './api'
import { find, house, step } from './find'
import { passkeyBegun } from './rows'
import { Socket } from './socket'
import type { World } from './world'
import type { Identity } from './store'
import type { Ask } from './wire'

/** How this program names itself to nodes. */
export const CLIENT = 'startalk-web'
export const VERSION = 1

export interface Admitted {
  readonly identity: Identity
  readonly recoveryCodes: readonly string[]
}

export async function enter(world: World, way: Way, onstep: (step: Step) => void): Promise<Admitted> {
  const asked = way.kind === 'register' ? domainOfLink(way.invitation) : 'domain' in way ? way.domain : ''
  // Whom a provider or a passkey names is known when one is in.
  const who = 'name' in way ? way.name : ''
  onstep({ step: 'name', state: 'done', what: who })
  const { socket, server } = await arrive(world, asked, onstep)
  try {
    const signed = await step(onstep, 'signIn', who, true, () => socket.ask(asking(way), 'signedIn'))
    if (!signed || signed.token.byteLength === 0) throw new ApiError('internal')
    return {
      identity: {
        user: signed.user, server, device: String(signed.device), token: signed.token, administrator: signed.administrator, role: signed.role,
        signedOut: undefined,
      },
      recoveryCodes: signed.recoveryCodes,
    }
  } finally {
    socket.end()
  }
}

/** What an invitation to the domain of this page gives, before it is used. */
export async function lookAtInvitation(world: World, link: string): Promise<InvitationShown> {
  const { servers } = await house(world)
  const { socket } = await connect(world, servers, () => undefined)
  try {
    await greet(world, socket)
    const shown = await socket.ask({ case: 'lookAtInvitation', value: { invitation: link } }, 'invitationShown')
    const inviter = shown.inviter === '' ? undefined : { user: shown.inviter, name: shown.inviterName }
    return { administrator: shown.administrator, notAfterMs: Number(shown.notAfterMs), uses: shown.uses, inviter }
  } finally {
    socket.end()
  }
}

/** Where the person goes, to sign in by a provider of the domain of this page. */
export async function beginSignIn(world: World, provider: string, challenge: Uint8Array<ArrayBuffer>): Promise<string> {
  const { socket } = await arrive(world, '', () => undefined)
  try {
    return (await socket.ask({ case: 'beginSignIn', value: { provider, challenge, returnTo: '' } }, 'signInBegun')).url
  } finally {
    socket.end()
  }
}

function greet(world: World, socket: Socket) {
  return socket.ask({ case: 'hello', value: { versionMin: VERSION, versionMax: VERSION, client: CLIENT, language: world.language } }, 'welcome')
}

/** Asks for any passkey of the domain of this page. */
export async function askPasskey(world: World): Promise<PasskeyBegun> {
  const { socket } = await arrive(world, '', () => undefined)
  try {
    return passkeyBegun(await socket.ask({ case: 'beginPasskey', value: {} }, 'passkeyBegun'))
  } finally {
    socket.end()
  }
}

/** A connection to a domain that has said who it is. */
async function arrive(world: World, asked: string, onstep: (step: Step) => void): Promise<{ socket: Socket; server: string }> {
  const found = await find(world, asked, onstep)
  const { socket, server } = await connect(world, found.servers, onstep)
  try {
    const host = new URL(server).host
    const welcome = await step(onstep, 'hello', host, true, () => greet(world, socket))
    if (welcome && welcome.domain !== found.domain) {
      const problem = new ApiError('wrong-domain', { domain: welcome.domain, asked: found.domain })
      onstep({ step: 'hello', state: 'failed', what: host, error: { code: problem.code, params: problem.params } })
      throw problem
    }
    return { socket, server }
  } catch (error) {
    socket.end()
    throw error
  }
}

async function connect(world: World, servers: readonly string[], onstep: (step: Step) => void): Promise<{ socket: Socket; server: string }> {
  let last: unknown = new ApiError('unreachable', { what: '', why: 'no address' })
  for (const server of servers) {
    try {
      const socket = await step(onstep, 'socket', new URL(server).host, true, () => Socket.connect(world.openWire, server))
      if (socket) return { socket, server }
    } catch (error) {
      last = error
    }
  }
  throw last
}

function asking(way: Way): Ask {
  const deviceName = way.device
  switch (way.kind) {
    case 'password':
      return { case: 'signIn', value: { name: way.name, password: way.password, deviceName } }
    case 'recover':
      return { case: 'recover', value: { name: way.name, code: way.code, newPassword: way.newPassword, deviceName } }
    case 'ticket':
      return { case: 'finishSignIn', value: { ticket: way.ticket, verifier: way.verifier as Uint8Array<ArrayBuffer>, deviceName } }
    case 'passkey':
      return { case: 'signInWithPasskey', value: { ceremony: BigInt(way.ceremony), credential: new TextEncoder().encode(way.credential), deviceName } }
    case 'register':
      return {
        case: 'register',
        value: { name: way.name, password: way.password, displayName: way.displayName, invitation: way.invitation, deviceName },
      }
  }
}

/** The domain that a whole link names; of a secret alone, and where none is needed: that of this page. */
export function domainOfLink(invitation: string): string {
  try {
    const url = new URL(invitation)
    return url.protocol === 'https:' && /^\/join\//.test(url.pathname) ? url.host : ''
  } catch {
    return ''
  }
}
