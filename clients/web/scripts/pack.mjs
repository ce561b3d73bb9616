// After the build: tells the service worker which files there are, and lays gzip and brotli beside each file where that
// is smaller, so that the node compresses nothing while it runs. The same files give the same bytes.

import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const web = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = resolve(web, process.env.STARTALK_WEB_OUT ?? 'dist')
/** What a browser fetches for itself, when it installs the client. */
const NOT_SHELL = /^\/(sw\.js|icons\/.*\.png|.*\.map)$/

function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
  )
}

for (const old of files(out).filter((f) => /\.(gz|br)$/.test(f))) rmSync(old)

const address = (file) => `/${relative(out, file).split(sep).join('/')}`
const shell = files(out).filter((f) => !NOT_SHELL.test(address(f))).sort()
const version = createHash('sha256')
for (const file of shell) version.update(address(file)).update('\0').update(readFileSync(file))
const worker = join(out, 'sw.js')
const list = {
  version: version.digest('hex').slice(0, 16),
  files: shell.map(address).map((a) => (a === '/index.html' ? '/' : a)),
}
const source = readFileSync(worker, 'utf8')
if (!source.includes('__SHELL__')) throw new Error('pack: sw.js has no place for the list of files')
writeFileSync(worker, source.replaceAll('__SHELL__', () => `(${JSON.stringify(list)})`))

let before = 0
let after = 0
for (const file of files(out)) {
  const plain = readFileSync(file)
  const brotli = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } })
  const gzip = gzipSync(plain, { level: 9 })
  if (brotli.length < plain.length) writeFileSync(`${file}.br`, brotli)
  if (gzip.length < plain.length) writeFileSync(`${file}.gz`, gzip)
  before += plain.length
  after += Math.min(brotli.length, plain.length)
}
console.log(`packed ${files(out).filter((f) => !/\.(gz|br)$/.test(f)).length} files, ${Math.round(before / 1024)} kB, ${Math.round(after / 1024)} kB with brotli; version ${list.version}`)
