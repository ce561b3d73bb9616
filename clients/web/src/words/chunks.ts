// Every text for people, in chunks that are loaded with the views that need them, one language at a time.
//
// The English file of a chunk is its shape: a key that the Chinese one lacks, or has beyond it, does not compile.

import type { Language, Places, Plural } from './fill'

/** The shape that a translation of a chunk must have. */
export type Translation<T> = { readonly [K in keyof T]: T[K] extends Plural ? { readonly other: string } : string }

const chunks = {
  talk: { en: () => import('./talk/en'), zh: () => import('./talk/zh') },
  enter: { en: () => import('./enter/en'), zh: () => import('./enter/zh') },
  settings: { en: () => import('./settings/en'), zh: () => import('./settings/zh') },
  people: { en: () => import('./people/en'), zh: () => import('./people/zh') },
  admin: { en: () => import('./admin/en'), zh: () => import('./admin/zh') },
  find: { en: () => import('./find/en'), zh: () => import('./find/zh') },
  groups: { en: () => import('./groups/en'), zh: () => import('./groups/zh') },
  later: { en: () => import('./later/en'), zh: () => import('./later/zh') },
  trial: { en: () => import('./trial/en'), zh: () => import('./trial/zh') },
  media: { en: () => import('./media/en'), zh: () => import('./media/zh') },
}

export type Chunk = keyof typeof chunks
export const CHUNKS = Object.keys(chunks) as Chunk[]
export type Table<C extends Chunk> = Awaited<ReturnType<(typeof chunks)[C]['en']>>['default']
export type Key<C extends Chunk> = keyof Table<C> & string
/** The values that a key wants, and nothing else. */
export type Args<C extends Chunk, K extends Key<C>> = [Places<Table<C>[K]>] extends [never]
  ? []
  : [values: { readonly [P in Places<Table<C>[K]>]: P extends 'n' ? number : string | number }]

export async function fetchChunk(chunk: Chunk, language: Language): Promise<Readonly<Record<string, unknown>>> {
  return (await chunks[chunk][language]()).default
}
