// Lines by the system in words: who did what in a group. The table is made at build from shared/client/src/lines.rs.

import type { Language } from './fill'
import { alsoLoad, language } from './words.svelte'

type Table = Readonly<Record<string, string>>
const tables: Partial<Record<Language, Table>> = {}
let version = $state(0)
let wanted = false

async function loadTable(which: Language): Promise<void> {
  if (tables[which]) return
  tables[which] = which === 'zh' ? (await import('./made/lines.zh')).default : (await import('./made/lines.en')).default
  version += 1
}

alsoLoad(async (which) => {
  if (wanted) await loadTable(which)
})

/** The line in words. `author`: whoever did it, as shown; `name`: how another person is called. */
export function lineWords(
  code: string,
  params: Readonly<Record<string, string>>,
  author: string,
  name: (user: string) => string,
): string {
  void version
  const table = tables[language()]
  if (!table) {
    wanted = true
    void loadTable(language()).catch(() => undefined)
    return ''
  }
  return line(table, code, params, author, name)
}

/** Pure: the same as `words` in lines.rs. */
export function line(
  table: Table,
  code: string,
  params: Readonly<Record<string, string>>,
  author: string,
  name: (user: string) => string,
): string {
  const template = table[code] ?? table['group-unknown'] ?? code
  return template.replace(/\{(\w+)\}/g, (_, place: string) => {
    if (place === 'author') return author || '…'
    const value = params[place] ?? ''
    if (place === 'who') return value ? name(value) : '…'
    return table[`${place}=${value}`] ?? value
  })
}
