// A long conversation: 100,000 messages, of which a browser holds a screenful.

import assert from 'node:assert/strict'
import { DESKTOP, PHONE, Window } from '../harness/person.mjs'
import { message, messages, open, signIn } from '../harness/steps.mjs'

const MESSAGES = 100_000
/** How far what is being read may move when something is put before it, pixels. */
const MOVES_MAX = 2

/** Somebody with such a conversation, made once. */
let prepared
async function long(test) {
  prepared ??= (async () => {
    for (const name of ['lena', 'mike']) await test.world.alpha.account(name)
    const began = performance.now()
    await test.world.alpha.talk('lena', 'mike', MESSAGES)
    console.log(`          ${MESSAGES} messages were written in ${Math.round(performance.now() - began)} ms`)
  })()
  await prepared
}

async function reader(test, size) {
  await long(test)
  const window = await Window.open(test.browser, { size })
  test.windows.push(window)
  const page = await signIn(test.world.alpha, window, 'lena')
  await open(page, 'mike')
  await messages(page).first().waitFor()
  // One may begin where one stopped reading.
  const latest = page.getByRole('button', { name: /jump to the latest/i })
  if (await latest.isVisible()) await latest.click({ timeout: 3000 }).catch(() => {}) // it went away: one is there already
  await message(page, `line ${MESSAGES}`).waitFor()
  return page
}

/** Goes up in steps; after each, watches what is in the middle of the screen until nothing more comes. How far it moved at most. */
async function goUp(page, steps, by) {
  return page.evaluate(
    async ({ steps, by }) => {
      const log = document.querySelector('[role=log]')
      const frame = () => new Promise((next) => requestAnimationFrame(next))
      const articles = () => [...log.querySelectorAll('article[data-key]')]
      const middle = () => {
        const at = log.getBoundingClientRect().top + log.clientHeight / 2
        return articles().find((a) => a.getBoundingClientRect().bottom > at)
      }
      const out = { moved: 0, grew: 0, stuck: 0, blank: 0 }
      for (let step = 0; step < steps; step++) {
        log.scrollTop -= by
        // The frame in which it is drawn where it was scrolled to; from then on it is read.
        await frame()
        await frame()
        const one = middle()
        if (!one) {
          out.blank += 1
          await frame()
          continue
        }
        const key = one.dataset.key
        const top = one.getBoundingClientRect().top
        const height = log.scrollHeight
        let quiet = 0
        for (let n = 0; n < 600 && quiet < 12; n++) {
          const before = log.scrollHeight
          await frame()
          const same = articles().find((a) => a.dataset.key === key)
          const moved = same ? Math.abs(same.getBoundingClientRect().top - top) : Infinity
          out.moved = Math.max(out.moved, moved)
          quiet = log.scrollHeight === before ? quiet + 1 : 0
        }
        if (log.scrollHeight > height) out.grew += 1
        if (log.scrollTop <= 0) out.stuck += 1
      }
      return out
    },
    { steps, by },
  )
}

export const history = [
  {
    name: 'of 100,000 messages a screenful is held, and the newest is shown first',
    async run(test) {
      const page = await reader(test, DESKTOP)
      const held = await messages(page).count()
      assert.ok(held > 5 && held < 200, `${held} messages are in the page`)
      const numbers = await messages(page).evaluateAll((all) => all.map((a) => Number(/line (\d+)/.exec(a.textContent)?.[1])))
      assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b))
      assert.equal(numbers.at(-1), MESSAGES)
    },
  },
  ...[
    ['', DESKTOP],
    [' on a phone', PHONE],
  ].map(([where, size]) => ({
    name: `what is being read does not move when history comes before it${where}`,
    async run(test) {
      const page = await reader(test, size)
      const out = await goUp(page, 40, Math.round(size.height * 1.4))
      console.log(`          ${JSON.stringify(out)}`)
      assert.ok(out.grew > 0, 'history came')
      assert.ok(out.moved <= MOVES_MAX, `it moved by ${out.moved} px`)
      const lowest = await messages(page).evaluateAll((all) => Math.min(...all.map((a) => Number(/line (\d+)/.exec(a.textContent)?.[1] ?? Infinity))))
      assert.ok(lowest < MESSAGES - 200, `line ${lowest} was reached`)
      await page.getByRole('button', { name: /[Jj]ump to the latest/ }).click()
      await message(page, `line ${MESSAGES}`).waitFor()
    },
  })),
]
