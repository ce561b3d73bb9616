// `npm run budget`: the bytes of all scripts that a browser fetches, compressed as they come from the node, until the list
// of conversations can be used: page, workers, and what they import by then. Measured in a fresh profile that is signed in
// already, so that the page begins with the list. Prints `first-load-kb N`; above the limit it is a failure.

import { statSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { Window } from './harness/person.mjs'
import { signUp, talkIsReady } from './harness/steps.mjs'

/** kB of scripts, 1,000 bytes each. */
const LIMIT = 120

export default async function budget(world) {
  const browser = await world.browser()
  try {
    const window = await Window.open(browser)
    const page = await signUp(world.alpha, window, 'measured')
    // Everything anew, as in a browser that has nothing yet but the account.
    await page.evaluate(async () => {
      for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister()
      for (const name of await caches.keys()) await caches.delete(name)
    })
    await page.close()
    const fresh = await window.context.newPage()
    const names = new Set()
    const ready = { is: false }
    // The page's own requests: what the service worker lays by afterwards is not waited for.
    fresh.on('request', (request) => {
      const { pathname } = new URL(request.url())
      if (!ready.is && /^\/assets\/.*\.js$/.test(pathname)) names.add(pathname)
    })
    await fresh.goto('https://alpha.test/')
    await talkIsReady(fresh)
    ready.is = true
    // A shared worker's requests are not the page's: it is found by its name in what the page has loaded.
    for (const name of await workersOf(fresh, names)) names.add(name)
    let bytes = 0
    for (const name of [...names].sort()) {
      const size = await sent(world.alpha.port, name)
      bytes += size
      console.log(`  ${String(size).padStart(7)}  ${name}`)
    }
    const kb = Math.ceil(bytes / 1000)
    console.log(`first-load-kb ${kb}`)
    if (kb > LIMIT) console.error(`the first load may take ${LIMIT} kB of scripts`)
    return kb <= LIMIT
  } finally {
    await browser.close()
  }
}

/** Bytes of a file as a browser gets it. */
function sent(port, path) {
  // Before the node: as its build would take it.
  const files = process.env.STARTALK_WEB_FRONT
  if (files) return (statSync(join(files, `${path}.br`), { throwIfNoEntry: false }) ?? statSync(join(files, path))).size
  return new Promise((done, fail) => {
    const asked = http.get({ host: '127.0.0.1', port, path, headers: { 'accept-encoding': 'gzip, deflate, br' } }, async (answer) => {
      let bytes = 0
      for await (const part of answer) bytes += part.length
      if (answer.statusCode === 200) done(bytes)
      else fail(new Error(`${path}: ${answer.statusCode}`))
    })
    asked.on('error', fail)
  })
}

/** Scripts named by those that were loaded as workers, and what these import at once. */
async function workersOf(page, names) {
  return page.evaluate(async (loaded) => {
    const found = new Set()
    const text = async (path) => (await fetch(path)).text()
    const imports = async (path) => {
      if (found.has(path)) return
      found.add(path)
      for (const [, at] of (await text(path)).matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)) await imports(`/assets/${at}`)
    }
    for (const path of loaded) {
      for (const [, worker] of (await text(path)).matchAll(/["'`](\/assets\/[\w.-]*worker[\w.-]*\.js)["'`]/g)) await imports(worker)
    }
    return [...found]
  }, [...names])
}
