// What is made before a build, a check or a test: frames from the protobuf files, words from the tables in Rust. Files are
// written beside and moved into place only if they are other than before, so that two runs at once, and whoever watches
// the files, see whole ones and no change where there is none.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const web = join(dirname(fileURLToPath(import.meta.url)), '..')

function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
  )
}

function frames() {
  const made = join(web, 'src/sdk/made')
  const proto = join(web, '../../shared/protocol/proto')
  const newest = Math.max(...files(proto).map((f) => statSync(f).mtimeMs), statSync(join(web, 'buf.gen.yaml')).mtimeMs)
  const there = existsSync(made) ? files(made).filter((f) => f.endsWith('.ts')) : []
  if (there.length >= 3 && Math.min(...there.map((f) => statSync(f).mtimeMs)) > newest) return
  const beside = mkdtempSync(join(web, 'node_modules/.frames-'))
  try {
    const config = readFileSync(join(web, 'buf.gen.yaml'), 'utf8').replace('src/sdk/made', relative(web, beside))
    const bin = join(web, 'node_modules/.bin')
    const path = `${bin}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH}`
    writeFileSync(join(beside, 'buf.gen.yaml'), config)
    execFileSync(join(bin, 'buf'), ['generate', '--template', relative(web, join(beside, 'buf.gen.yaml'))], {
      cwd: web,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    for (const file of files(beside).filter((f) => f.endsWith('.ts'))) {
      const to = join(made, relative(beside, file))
      mkdirSync(dirname(to), { recursive: true })
      renameSync(file, to)
    }
  } finally {
    rmSync(beside, { recursive: true, force: true })
  }
}

frames()
await import('./error-words.mjs')
