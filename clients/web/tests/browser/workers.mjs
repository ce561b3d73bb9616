// The worker behind the tabs: of another version, asleep, not to be loaded, or with nowhere to keep anything.

import assert from 'node:assert/strict'
import { Proxy } from '../harness/proxy.mjs'
import { Window } from '../harness/person.mjs'
import { composer, fresh, message, open, say, signIn, signInAt, stateOf, talkIsReady, talkTo, times } from '../harness/steps.mjs'

/** What the list calls the conversation with oneself. */
const ONESELF = 'File transfer'

/** Somebody at a front of alpha, in a conversation with themselves. */
async function alone(test, front, options) {
  const { alpha } = test.world
  const name = fresh('work')
  await alpha.account(name)
  const window = await Window.open(test.browser, options)
  test.windows.push(window)
  const page = await window.page(front?.address ?? 'https://alpha.test/')
  await signInAt(page, alpha, name)
  await talkTo(page, `${name}@alpha.test`)
  return { window, page }
}

async function behind(test, run) {
  const front = await Proxy.open(test.world.alpha)
  try {
    await run(front)
  } finally {
    await front.close()
  }
}

/** Which version a page runs, by its scripts. */
const isLater = (page) => page.evaluate(() => [...document.scripts].some((s) => s.src.includes('-later')))

export const workers = [
  {
    name: 'a new version taken in one tab is soon that of the others, and what waits is sent once',
    run: (test) => behind(test, async (front) => {
      const { window, page } = await alone(test, front)
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
      const other = await window.page(front.address)
      await talkIsReady(other)
      await open(other, ONESELF)
      front.cut()
      await say(page, 'said before the change')
      await stateOf(page, 'said before the change', 'Sending')
      // In the other tab somebody is in the middle of a word.
      await composer(other).fill('half a thou')
      front.isNext = true
      await page.evaluate(async () => (await navigator.serviceWorker.ready).update())
      const bar = page.getByText('There is a new version.')
      await bar.waitFor()
      assert.equal(await isLater(page), false)
      await page.getByRole('button', { name: 'Reload' }).click()
      await page.waitForFunction(() => [...document.scripts].some((s) => s.src.includes('-later')))
      await other.waitForFunction(() => [...document.scripts].some((s) => s.src.includes('-later')), undefined, { timeout: 30_000 })
      for (const tab of [page, other]) await message(tab, 'said before the change').waitFor({ timeout: 30_000 })
      assert.equal(await composer(other).inputValue(), 'half a thou', 'what was typed is there')
      front.mend()
      await stateOf(page, 'said before the change', 'Sent')
      await composer(other).fill('from the new version')
      await composer(other).press('Enter')
      await message(page, 'from the new version').waitFor()
      for (const tab of [page, other]) assert.equal(await times(tab, 'said before the change'), 1)
    }),
  },
  {
    name: 'where the shared worker cannot be loaded, one tab leads',
    run: (test) => behind(test, async (front) => {
      let refused = 0
      front.lacks = ({ path, dest }) => dest === 'sharedworker' && path.includes('/worker-') && (refused += 1) > 0
      const { window, page } = await alone(test, front)
      assert.ok(refused > 0, 'it was asked for, and refused')
      await say(page, 'without a shared worker')
      await stateOf(page, 'without a shared worker', 'Sent')
      const other = await window.page(front.address)
      await talkIsReady(other)
      await open(other, ONESELF)
      await say(other, 'in a second tab')
      await message(page, 'in a second tab').waitFor()
    }),
  },
  {
    name: 'a shared worker of which nothing is ever heard is asked for again',
    async run(test) {
      const { alpha } = test.world
      const name = fresh('work')
      await alpha.account(name)
      const window = await Window.open(test.browser)
      test.windows.push(window)
      // As in a browser that lost both the worker and the word that it could not be loaded.
      await window.context.addInitScript(() => {
        const Real = SharedWorker
        globalThis.__knocks = 0
        globalThis.SharedWorker = function (url, options) {
          __knocks += 1
          return __knocks > 1 ? new Real(url, options) : { onerror: null, port: { onmessage: null, postMessage() { throw new Error('said to nobody') } } }
        }
      })
      const page = await signIn(alpha, window, name)
      assert.equal(await page.evaluate(() => __knocks), 2)
      await talkTo(page, `${name}@alpha.test`)
      await say(page, 'heard at last')
      await stateOf(page, 'heard at last', 'Sent')
      const other = await window.page('https://alpha.test/')
      await open(other, ONESELF)
      await message(other, 'heard at last').waitFor()
    },
  },
  {
    name: 'a leading tab that the browser put to sleep is followed by another, and goes on when it wakes',
    async run(test) {
      const { window, page } = await alone(test, undefined, { without: ['SharedWorker'] })
      await say(page, 'said by the leader')
      await stateOf(page, 'said by the leader', 'Sent')
      const other = await window.page('https://alpha.test/')
      await talkIsReady(other)
      await open(other, ONESELF)
      const session = await page.context().newCDPSession(page)
      // Its worker, too: Chromium leaves that awake as long as it is only told so.
      const [asleep] = page.workers()
      assert.ok(asleep, 'the first tab leads')
      await asleep.evaluate(() => void setTimeout(() => { for (const end = Date.now() + 45_000; Date.now() < end; ); }))
      await session.send('Page.setWebLifecycleState', { state: 'frozen' })
      await say(other, 'while it sleeps')
      await stateOf(other, 'while it sleeps', 'Sent').catch(() => stateOf(other, 'while it sleeps', 'Sent'))
      assert.equal(other.workers().length, 1, 'the second leads')
      await session.send('Page.setWebLifecycleState', { state: 'active' })
      await message(page, 'while it sleeps').waitFor()
      await say(page, 'awake again')
      await message(other, 'awake again').waitFor()
      await stateOf(page, 'awake again', 'Sent')
      const locks = await page.evaluate(async () => {
        const { held, pending } = await navigator.locks.query()
        return [held, pending].map((all) => all.filter((l) => l.name.startsWith('startalk-led')).length)
      })
      assert.deepEqual(locks, [1, 1], 'one leads, and the first waits for its turn')
      for (const text of ['said by the leader', 'while it sleeps', 'awake again']) assert.equal(await times(other, text), 1, text)
    },
  },
  {
    name: 'a browser that keeps nothing says so, and one can write all the same',
    run: (test) => behind(test, async (front) => {
      front.prelude = "Object.defineProperty(indexedDB, 'open', { value() { throw new DOMException('not here', 'SecurityError') } });\n"
      const window = await Window.open(test.browser)
      test.windows.push(window)
      const first = await window.page(front.address)
      await first.getByText(/This browser keeps nothing/).waitFor()
      await first.close()
      const { window: again, page } = await alone(test, front)
      await page.getByText(/This browser keeps nothing/).waitFor()
      await say(page, 'kept by nobody but the server')
      await stateOf(page, 'kept by nobody but the server', 'Sent')
      const second = await again.page(front.address)
      await open(second, ONESELF)
      await message(second, 'kept by nobody but the server').waitFor()
      assert.deepEqual(await page.evaluate(async () => (await indexedDB.databases()).map((d) => d.name)), [])
    }),
  },
]
