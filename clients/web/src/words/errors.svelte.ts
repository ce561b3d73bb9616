// What the node's errors say. The table is made at build from the one in shared/protocol/src/error.rs, so that all
// programs say the same; it is loaded when the first error is shown. Causes that only a browser has are in `talk`.

import { fill, type Language } from './fill'
import { alsoLoad, language, say } from './words.svelte'

type Table = Readonly<Record<string, string>>
const tables: Partial<Record<Language, Table>> = {}
let version = $state(0)
let wanted = false

async function loadTable(which: Language): Promise<void> {
  if (tables[which]) return
  tables[which] = which === 'zh' ? (await import('./made/errors.zh')).default : (await import('./made/errors.en')).default
  version += 1
}

alsoLoad(async (which) => {
  if (wanted) await loadTable(which)
})

/** So that the words are there when the first error is. */
export async function loadErrors(): Promise<void> {
  wanted = true
  await loadTable(language())
}

export interface Told {
  readonly code: string
  readonly params?: Readonly<Record<string, string>> | undefined
}

/** In words. Empty for the moment in which the table is not there yet; whoever shows it is shown again. */
export function errorWords(error: Told): string {
  void version
  // Of this program, not of a node; never to be waited for.
  if (error.code === 'offline') return say('talk')('needsConnection')
  const table = tables[language()]
  if (!table) {
    // Without a connection the table may not come: the code is better than nothing, and better than a rejected promise.
    void loadErrors().catch(() => undefined)
    return ''
  }
  // What this program itself found, which is in no table.
  const own = error.params?.['why'] === 'no answer' ? { ...error.params, why: say('talk')('noAnswer') } : error.params
  const template = table[error.code] ?? table['internal'] ?? error.code
  return fill(template, own, language())
}
