// `npm run budget`: the bytes of all scripts that a browser fetches, compressed as they come from the node, until the list
// of conversations can be used: page, workers, and what they import by then. Measured in a fresh profile that is signed in
// already, so that the page begins with the list. Prints `first-load-kb N`; above the limit it is a failure.

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
    const scripts = new Map()
    window.context.on('response', (answer) => {
      const type = answer.headers()['content-type'] ?? ''
      if (type.startsWith('text/javascript')) scripts.set(new URL(answer.url()).pathname, answer)
    })
    await page.close()
    const fresh = await window.context.newPage()
    const cdp = await window.context.newCDPSession(fresh)
    await cdp.send('Network.enable')
    await cdp.send('Network.setCacheDisabled', { cacheDisabled: true })
    await fresh.goto('https://alpha.test/')
    await talkIsReady(fresh)
    // A shared worker's requests are not the page's: what it is made of is read from the page, and counted the same way.
    const entries = await fresh.evaluate(() => performance.getEntriesByType('resource').map((e) => e.name))
    const names = new Set([...scripts.keys(), ...entries.map((e) => new URL(e).pathname)].filter((p) => p.endsWith('.js') && p !== '/sw.js'))
    for (const name of await workersOf(fresh, names)) names.add(name)
    let bytes = 0
    for (const name of [...names].sort()) {
      const size = await fresh.evaluate(async (path) => {
        const answer = await fetch(path, { cache: 'reload' })
        await answer.arrayBuffer()
        const entry = performance.getEntriesByName(new URL(path, location.origin).href).at(-1)
        return entry.encodedBodySize
      }, name)
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
