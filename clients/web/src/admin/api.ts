// What the administration of a domain answers (docs/admin-api.json), and one way to ask it. Nothing is decided here.

import type { Node } from '../rooms/node'

export interface Page<T> { readonly items: readonly T[]; readonly next: number | null }
export interface Person { readonly user: string; readonly display_name: string; readonly role: Role; readonly disabled: boolean; readonly devices: number; readonly created_ms: number; readonly conversations: number; readonly messages_today: number; readonly bytes_today: number }
export type Role = 'member' | 'auditor' | 'administrator'
export interface Device { readonly device: number; readonly name: string; readonly added_ms: number }
export interface Identity { readonly link: number; readonly provider: string; readonly label: string; readonly since_ms: number }
export interface Passkey { readonly passkey: number; readonly name: string; readonly added_ms: number; readonly used_ms: number | null; readonly suspect: boolean }
export interface PersonWithDevices {
  readonly person: Person; readonly devices: readonly Device[]; readonly seen_ms: number | null; readonly has_password: boolean
  readonly identities: readonly Identity[]; readonly passkeys: readonly Passkey[]
}
export interface NewPassword { readonly user: string; readonly password: string }
export interface Invitation { readonly invitation: number; readonly uses: number; readonly not_after_ms: number; readonly administrator: boolean; readonly maker: string | null; readonly groups: readonly string[] }
export interface NewInvitation { readonly link: string; readonly uses: number; readonly not_after_ms: number }
export interface SignInLink { readonly user: string; readonly display_name: string; readonly link: string; readonly not_after_ms: number }
export interface Failed { readonly code: string; readonly params: Readonly<Record<string, string>> }
export interface RowError { readonly row: number; readonly column: string | null; readonly who: string; readonly error: Failed }
/** A directory that people can be imported from. */
export interface Directory { readonly id: string; readonly display_name: string }

export interface PlanStep {
  readonly row: number; readonly what: 'add' | 'change' | 'disable' | 'keep'; readonly name: string; readonly display_name: string
  readonly changes: readonly { readonly column: string; readonly before: string; readonly after: string }[]
}
export interface Plan {
  readonly digest: string; readonly added: number; readonly changed: number; readonly unchanged: number; readonly disabled: number; readonly refused: Failed | null
  readonly ignored: readonly string[]; readonly steps: readonly PlanStep[]; readonly errors: readonly RowError[]
}
export interface Imported { readonly job: Job; readonly links: number; readonly errors: readonly RowError[] }
export interface Links { readonly items: readonly SignInLink[]; readonly csv: string }
export interface Group { readonly group: string; readonly name: string; readonly home: string; readonly members: number; readonly members_here: number; readonly owner: string | null; readonly destroyed: boolean; readonly may_add: boolean }
export interface OneGroup { readonly group: Group; readonly kept_here: boolean; readonly created_ms: number | null; readonly last_ms: number }
export interface GroupMember { readonly user: string | null; readonly display_name: string; readonly role: 'member' | 'administrator' | 'owner'; readonly here: boolean }
export interface Said { readonly code: string; readonly en: string; readonly zh: string }
export interface Link {
  readonly state: string; readonly next_attempt_ms: number | null; readonly lag: number; readonly last_error: (Said & { readonly at_ms: number }) | null
  readonly last_contact_ms: number | null; readonly refusals: readonly { readonly error: Said; readonly count: number }[]; readonly transport: string | null
}
export interface Domain { readonly domain: string; readonly rule: Rule; readonly denied: boolean; readonly proof: string; readonly outbox: number; readonly recorded_there: number; readonly received: number; readonly link: Link | null }
export type Rule = 'unset' | 'allowed' | 'denied'
export interface Policies {
  readonly domain: string; readonly display_name: string; readonly registration: string; readonly listed: boolean; readonly recall_seconds: number; readonly edit_seconds: number
  readonly group_creation: string; readonly password_chars_min: number; readonly federation: string
  readonly retention_days: number; readonly retention_of: string; readonly accounts_max: number; readonly messages_per_day: number; readonly bytes_per_day: number; readonly groups_per_account: number
  readonly file_bytes_max: number; readonly files_bytes_per_account: number; readonly cache_bytes_max: number; readonly cache_days: number; readonly link_previews: boolean
}
/** What would be erased at once. */
export interface WouldGo { readonly messages: number; readonly more: boolean }
export interface Finding { readonly check: string; readonly state: 'good' | 'warning' | 'bad'; readonly words: { readonly en: string; readonly zh: string } }
export interface Storage { readonly journal_bytes: number; readonly views_bytes: number; readonly checkpoints_bytes: number; readonly backups_bytes: number; readonly free_bytes: number }
export interface Backup { readonly name: string | null; readonly time_ms: number; readonly records: number; readonly bytes: number; readonly verified: boolean | null; readonly place: string }
export interface Loss {
  readonly records: number | null; readonly counted: boolean; readonly lost: number; readonly since_ms: number | null; readonly at_least: boolean
  readonly messages_here: number; readonly messages_elsewhere: number; readonly groups: number; readonly people: readonly string[]; readonly people_count: number; readonly devices: number; readonly this_device: boolean
  readonly deleted: number; readonly erased: number; readonly domains: readonly string[]; readonly needed_bytes: number; readonly free_bytes: number
}
export interface Replaced { readonly name: string; readonly from: string; readonly records: number; readonly replaced_records: number; readonly asked_ms: number; readonly by: string | null; readonly bytes: number; readonly place: string }
export interface Restores { readonly replaced: readonly Replaced[]; readonly failed: { readonly from: string; readonly asked_ms: number; readonly why: string } | null }
export interface Overview {
  readonly domain: string; readonly display_name: string; readonly url: string; readonly version: string; readonly epoch: number; readonly people: number; readonly people_max: number; readonly administrators: number
  readonly disabled: number; readonly domains: number; readonly connected: number; readonly storage: Storage; readonly last_backup: Backup | null; readonly findings: readonly Finding[]
}
export interface Job {
  readonly job: number; readonly kind: string; readonly state: 'running' | 'done' | 'failed'; readonly done: number; readonly total: number
  readonly error: { readonly code: string; readonly params: Record<string, string> } | null; readonly findings: readonly Finding[]; readonly bytes_won: number | null; readonly records: number | null; readonly began_ms: number
}
export interface Act {
  readonly number: number; readonly time_ms: number; readonly by: string; readonly by_number: number; readonly by_name: string | null; readonly act: string
  readonly account: number; readonly user: string | null; readonly domain: string | null; readonly item: number
  readonly changes: readonly { readonly field: string; readonly before: string; readonly after: string }[]
}
export interface Token { readonly token: number; readonly name: string; readonly scopes: readonly string[]; readonly maker: string | null; readonly not_after_ms: number; readonly valid: boolean }

/** How often a job is looked at, milliseconds. */
const LOOK_MS = 700

export class Admin {
  readonly #node: Node
  constructor(node: Node) {
    this.#node = node
  }

  get domain(): string { return this.#node.domain }
  get changes(): boolean { return this.#node.administrator }

  get<T>(path: string): Promise<T> { return this.#node.administer('GET', path) as Promise<T> }
  post<T>(path: string, body?: unknown): Promise<T> { return this.#node.administer('POST', path, body) as Promise<T> }
  patch<T>(path: string, body: unknown): Promise<T> { return this.#node.administer('PATCH', path, body) as Promise<T> }
  put<T>(path: string, body: unknown): Promise<T> { return this.#node.administer('PUT', path, body) as Promise<T> }
  /** A file as it is. */
  send<T>(path: string, file: Uint8Array): Promise<T> { return this.#node.administer('POST', path, file) as Promise<T> }
  delete<T>(path: string): Promise<T> { return this.#node.administer('DELETE', path) as Promise<T> }

  page<T>(path: string, cursor: number, search = '', only: Readonly<Record<string, string>> = {}): Promise<Page<T>> {
    const query = new URLSearchParams({ cursor: String(cursor), limit: '50', ...(search ? { search } : {}), ...only })
    return this.get(`${path}?${query}`)
  }

  /** Begins a job and follows it to its end. */
  async follow(begin: Promise<Job>, told: (job: Job) => void): Promise<Job> {
    let job = await begin
    for (;;) {
      told(job)
      if (job.state === 'done') return job
      if (job.state === 'failed') throw job.error ?? { code: 'internal', params: {} }
      await new Promise((later) => setTimeout(later, LOOK_MS))
      job = await this.get<Job>(`/jobs/${job.job}`)
    }
  }
}

/** 12.3 MB */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let at = 0
  while (n >= 1000 && at < units.length - 1) { n /= 1000; at += 1 }
  return `${n >= 100 || at === 0 ? Math.round(n) : n.toFixed(1)} ${units[at]}`
}
