// Makes the tables src/words/made/{errors,lines}.{en,zh}.ts from the only places where these words are written:
// shared/protocol/src/error.rs and shared/client/src/lines.rs. Fails if a code of the specification is missing, so that a
// change of a table's form is noticed.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const web = join(dirname(fileURLToPath(import.meta.url)), '..')
const root = join(web, '..', '..')
const read = (path) => readFileSync(join(root, path), 'utf8')

function fail(why) {
  console.error(`error-words: ${why}`)
  process.exit(1)
}

const text = '("(?:[^"\\\\]|\\\\.)*")'
const errors = { en: {}, zh: {} }
const row = new RegExp(`^\\s+\\w+ "([a-z-]+)" retry (?:true|false) en ${text} zh ${text};$`, 'gm')
for (const [, code, en, zh] of read('shared/protocol/src/error.rs').matchAll(row)) {
  errors.en[code] = JSON.parse(en)
  errors.zh[code] = JSON.parse(zh)
}
const codes = [...read('federation-spec/06-errors.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map((m) => m[1])
const missing = codes.filter((code) => !(code in errors.en))
const beyond = Object.keys(errors.en).filter((code) => !codes.includes(code))
if (codes.length === 0 || missing.length > 0 || beyond.length > 0) {
  fail(`not in error.rs: ${missing.join(' ') || '-'}; not in 06-errors.md: ${beyond.join(' ') || '-'}`)
}

// Lines by the system, and the values of their parameters that are words themselves, under `parameter=value`.
const lines = { en: {}, zh: {} }
const source = read('shared/client/src/lines.rs').split('#[cfg(test)]')[0]
const line = new RegExp(`^\\s+\\("([a-z-]+)", ${text}, ${text}\\),$`, 'gm')
const value = new RegExp(`^\\s+\\("([a-z_]+)", "([a-z_]+)", ${text}, ${text}\\),$`, 'gm')
for (const [, code, en, zh] of source.matchAll(line)) {
  lines.en[code] = JSON.parse(en)
  lines.zh[code] = JSON.parse(zh)
}
for (const [, parameter, which, en, zh] of source.matchAll(value)) {
  lines.en[`${parameter}=${which}`] = JSON.parse(en)
  lines.zh[`${parameter}=${which}`] = JSON.parse(zh)
}
const rows = source.split('\n').filter((l) => /^\s+\("/.test(l)).length
if (rows === 0 || rows !== Object.keys(lines.en).length) fail('lines.rs has rows that are not understood')

const made = join(web, 'src/words/made')
mkdirSync(made, { recursive: true })
for (const [name, tables, from] of [
  ['errors', errors, 'shared/protocol/src/error.rs'],
  ['lines', lines, 'shared/client/src/lines.rs'],
]) {
  for (const [language, table] of Object.entries(tables)) {
    const out = `// Made from ${from} by scripts/error-words.mjs.\nexport default ${JSON.stringify(table, null, 2)} as Readonly<Record<string, string>>\n`
    writeFileSync(join(made, `${name}.${language}.ts`), out)
  }
}
