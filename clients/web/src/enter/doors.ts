// What the ways in ask for: finding a domain step by step, signing in, registering, recovering. `session.ts` makes it from
// the SDK.

import type { Told } from '../words/errors.svelte'

/** What the domain that served this page says of itself. */
export interface House {
  readonly domain: string
  readonly displayName: string
  /** open, invitation or closed. */
  readonly registration: string
  /** Ways to sign in besides a password. */
  readonly signIn: readonly { readonly kind: string; readonly id: string; readonly displayName: string }[]
}

export const STEPS = ['name', 'wellKnown', 'record', 'socket', 'hello', 'signIn', 'sync'] as const
export type StepName = (typeof STEPS)[number]
export interface Step {
  readonly step: StepName
  readonly state: 'now' | 'done' | 'failed'
  /** Who is asked: a host, an address. */
  readonly what: string
  readonly error?: Told | undefined
}

export interface Entered {
  /** As the SDK names the account. */
  readonly account: string
  readonly user: string
  /** Told this once, after registering and recovering. */
  readonly recoveryCodes: readonly string[]
}

export type Way =
  | { readonly kind: 'password'; readonly name: string; readonly domain: string; readonly password: string; readonly device: string }
  | { readonly kind: 'recover'; readonly name: string; readonly domain: string; readonly code: string; readonly newPassword: string; readonly device: string }
  | { readonly kind: 'ticket'; readonly ticket: string; readonly verifier: Uint8Array; readonly device: string }
  | { readonly kind: 'passkey'; readonly ceremony: string; readonly credential: string; readonly device: string }
  | { readonly kind: 'register'; readonly name: string; readonly displayName: string; readonly password: string; readonly invitation: string; readonly device: string }

/** What an invitation gives. */
export interface Invitation {
  readonly administrator: boolean
  readonly inviter: { readonly user: string; readonly name: string } | undefined
}

export interface Doors {
  house(): Promise<House>
  invitation(secret: string): Promise<Invitation>
  beginSignIn(provider: string, challenge: Uint8Array): Promise<string>
  askPasskey(): Promise<{ readonly ceremony: string; readonly options: string }>
  enter(way: Way, onstep: (step: Step) => void): Promise<Entered>
}

/** Takes a step into the list: a later word on the same step replaces the earlier. */
export function withStep(steps: readonly Step[], step: Step): readonly Step[] {
  const at = steps.findIndex((s) => s.step === step.step && (s.what === step.what || s.state === 'now'))
  if (at < 0) return [...steps, step]
  return steps.map((s, i) => (i === at ? step : s))
}

/** What the device is called unless somebody says otherwise: browser and system. */
export function browserAndSystem(agent: string): { browser: string; system: string } {
  const first = (pairs: readonly (readonly [RegExp, string])[], otherwise: string) => pairs.find(([is]) => is.test(agent))?.[1] ?? otherwise
  return {
    browser: first([[/Edg\//, 'Edge'], [/OPR\//, 'Opera'], [/Firefox\//, 'Firefox'], [/Chrome\/|CriOS\//, 'Chrome'], [/Safari\//, 'Safari']], 'Browser'),
    system: first([[/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Windows/, 'Windows'], [/Mac OS X/, 'macOS'], [/CrOS/, 'ChromeOS'], [/Linux/, 'Linux']], 'Web'),
  }
}
