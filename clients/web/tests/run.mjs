// All tests of the web client: `npm test`. Builds the nodes with the client in them (or takes those in STARTALK_BINARIES),
// runs the units in vitest, then a real Chromium against two real nodes. Ends with `N passed, N failed`.
//
// `node tests/run.mjs <part of a name>` runs only browser tests with that in their name; `--sheets` makes contact sheets
// instead, `--pictures` those of the documents, `--budget` measures the first load; STARTALK_WEB_KEEP=1 keeps the nodes' folders. Durations are printed and never judged.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { World } from './harness/world.mjs'

const web = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const root = resolve(web, '../..')
const words = process.argv.slice(2).filter((w) => !w.startsWith('--'))
const instead = ['sheets', 'pictures', 'budget'].find((what) => process.argv.includes(`--${what}`))

function must(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (done.status !== 0) {
    console.error(`${command} ${args.join(' ')} ended with ${done.status ?? done.error}`)
    process.exit(1)
  }
}

/** The nodes, with the client as it is now. */
function programs() {
  if (process.env.STARTALK_BINARIES) return resolve(process.env.STARTALK_BINARIES)
  const env = { ...process.env }
  delete env.STARTALK_WEB
  // Of the whole workspace, as all tests are built: another choice has other features in the libraries below, and is a build of nearly everything.
  const what = ['--bin', 'startalk', '--bin', 'startalk-hub', '--example', 'populate']
  must('cargo', ['build', '--quiet', '--workspace', ...what], { env })
  return join(process.env.CARGO_TARGET_DIR ? resolve(root, process.env.CARGO_TARGET_DIR) : join(root, 'target'), 'debug')
}

function units(binaries) {
  const out = join(mkdtempSync(join(tmpdir(), 'startalk-units-')), 'units.json')
  must(process.execPath, ['scripts/generate.mjs'], { cwd: web })
  const vitest = join(web, 'node_modules/vitest/vitest.mjs')
  spawnSync(process.execPath, [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${out}`], {
    cwd: web,
    stdio: 'inherit',
    env: { ...process.env, STARTALK_BINARIES: binaries }, // the SDK's are also run against real nodes
  })
  const told = JSON.parse(readFileSync(out, 'utf8'))
  // A file that cannot be read at all has no tests of its own to fail.
  const broken = told.testResults.filter((file) => file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'))
  return { passed: told.numPassedTests, failed: told.numFailedTests + broken.length }
}

async function inBrowser(world) {
  const { all } = await import('./browser/all.mjs')
  const chosen = all.filter(({ name }) => words.length === 0 || words.some((w) => name.includes(w)))
  let [passed, failed] = [0, 0]
  for (const { name, run } of chosen) {
    const began = performance.now()
    const windows = []
    const browser = await world.browser()
    try {
      await run({ world, browser, windows })
      for (const window of windows) await window.check()
      passed += 1
      console.log(`  passed  ${name}  ${Math.round(performance.now() - began)} ms`)
    } catch (error) {
      failed += 1
      console.log(`  FAILED  ${name}  ${Math.round(performance.now() - began)} ms\n${indent(error.stack ?? String(error))}`)
      await pictures(windows, name)
    } finally {
      await browser.close()
      world.nodes.forEach((node) => node.gate.mend())
      // Whatever the test did to them: the next one finds both nodes up.
      for (const node of world.nodes) if (node.process.exitCode !== null || node.process.signalCode !== null) await node.start()
    }
  }
  return { passed, failed }
}

/** What was on the screens when a test failed. */
async function pictures(windows, name) {
  const folder = join(root, 'target/web-failures')
  for (const [w, window] of windows.entries()) {
    for (const [p, page] of window.context.pages().entries()) {
      const path = join(folder, `${name.replace(/\W+/g, '-').slice(0, 60)}-${w}-${p}.png`)
      await page.screenshot({ path, timeout: 5000 }).then(() => console.log(`          ${path}`)).catch(() => {})
    }
  }
}

const indent = (text) => text.split('\n').slice(0, 14).map((l) => `          ${l}`).join('\n')

must('bash', ['tests/install', ...(instead === 'sheets' || instead === 'pictures' ? ['pictures'] : [])], { cwd: web })
const binaries = programs()
const counts = [words.length || instead ? { passed: 0, failed: 0 } : units(binaries)]
// Pictures have a world of their own.
if (instead === 'sheets' || instead === 'pictures') process.exit((await (await import(`./${instead}.mjs`)).default(binaries)) ? 0 : 1)
const world = await World.make(binaries)
let failed = true
try {
  if (instead) failed = !(await (await import(`./${instead}.mjs`)).default(world))
  else {
    counts.push(await inBrowser(world))
    failed = counts.some((c) => c.failed > 0)
  }
} finally {
  await world.end(process.env.STARTALK_WEB_KEEP === '1')
}
const sum = (what) => counts.reduce((n, c) => n + c[what], 0)
if (!instead) console.log(`${sum('passed')} passed, ${sum('failed')} failed`)
process.exit(failed ? 1 : 0)
