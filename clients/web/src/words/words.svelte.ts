// The language in use and its words. Views call `say`; what they show follows a switch of the language by itself.
//
// A chunk is loaded once per language; a switch happens when every chunk in use is there in the new one, so that no
// screen is ever half translated.

import { fetchChunk, type Args, type Chunk, type Key } from './chunks'
import { fill, TAGS, type Language, type Template, type Values } from './fill'

type Loaded = Partial<Record<Chunk, Readonly<Record<string, unknown>>>>

const KEPT = 'startalk.language'
const loaded: Record<Language, Loaded> = { en: {}, zh: {} }
/** What must be there too when the language changes, such as the table of errors. */
const others: ((language: Language) => Promise<void>)[] = []

let now = $state<Language>(preferred())
// Counts loads: a view that asked before its chunk came is shown again.
let version = $state(0)

/** The language that is kept, or that the browser asks for. */
export function preferred(): Language {
  const kept = typeof localStorage === 'undefined' ? null : localStorage.getItem(KEPT)
  if (kept === 'zh' || kept === 'en') return kept
  const asked = typeof navigator === 'undefined' ? [] : (navigator.languages ?? [])
  for (const tag of asked) {
    if (/^zh\b/i.test(tag)) return 'zh'
    if (/^en\b/i.test(tag)) return 'en'
  }
  return 'en'
}

export function language(): Language {
  return now
}

/** Whether somebody chose, rather than the browser. */
export function chosenLanguage(): Language | undefined {
  const kept = localStorage.getItem(KEPT)
  return kept === 'zh' || kept === 'en' ? kept : undefined
}

/** Loads chunks in the language in use. */
export async function load(...chunks: Chunk[]): Promise<void> {
  await loadIn(now, chunks)
}

async function loadIn(which: Language, chunks: readonly Chunk[]): Promise<void> {
  const missing = chunks.filter((c) => !loaded[which][c])
  if (missing.length === 0) return
  await Promise.all(missing.map(async (c) => (loaded[which][c] = await fetchChunk(c, which))))
  version += 1
}

/** Before the first view. */
export async function begin(): Promise<void> {
  tell()
  await load('talk')
}

/** Switches; undefined: as the browser asks. */
export async function setLanguage(which: Language | undefined): Promise<void> {
  if (which) localStorage.setItem(KEPT, which)
  else localStorage.removeItem(KEPT)
  const next = which ?? preferred()
  await Promise.all([loadIn(next, Object.keys(loaded[now]) as Chunk[]), ...others.map((also) => also(next))])
  now = next
  tell()
}

export function alsoLoad(also: (language: Language) => Promise<void>): void {
  others.push(also)
}

function tell(): void {
  if (typeof document !== 'undefined') document.documentElement.lang = TAGS[now]
}

/** The words of a chunk: `const t = say('groups')`, then `t('members', { n: 3 })`. */
export function say<C extends Chunk>(chunk: C): <K extends Key<C>>(key: K, ...args: Args<C, K>) => string {
  return (key, ...args) => {
    void version
    const template = loaded[now][chunk]?.[key] as Template | undefined
    return template === undefined ? '' : fill(template, args[0] as Values | undefined, now)
  }
}
