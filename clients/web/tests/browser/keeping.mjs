// For how long messages are kept: the policy is set in one window, and what is older goes from another that is open, from
// the list, from what that browser keeps, and from what is found.

import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { accessible, Window } from '../harness/person.mjs'
import { finder, message, messages, open, row, say, signIn } from '../harness/steps.mjs'
import { World } from '../harness/world.mjs'

const MESSAGES = 120

/** What the messages of every account in this browser say, as far as it keeps them. */
const kept = (page) => page.evaluate(async () => {
  let all = ''
  for (const { name } of await indexedDB.databases()) {
    if (!name.startsWith('startalk:')) continue
    const db = await new Promise((resolve, reject) => {
      const request = indexedDB.open(name)
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    for (const room of ['messages', 'conversations', 'said']) {
      const rows = await new Promise((resolve, reject) => {
        const request = db.transaction(room).objectStore(room).getAll()
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
      for (const one of rows) all += new TextDecoder().decode(one.content ?? one.last?.content ?? new Uint8Array())
    }
    db.close()
  }
  return all
})

export const keeping = [
  {
    name: 'keeping: an administrator says for how long, and old words go from an open window and from what it keeps',
    async run(test) {
      const world = await World.make(dirname(test.world.alpha.program))
      const browser = await world.browser()
      try {
        const { alpha } = world
        await alpha.account('chief')
        await alpha.account('ann')
        await alpha.ask('user', 'role', 'chief', 'administrator')
        await alpha.talk('chief', 'ann', MESSAGES)
        await alpha.aged(60)
        const [hers, theirs] = [await Window.open(browser), await Window.open(browser)]
        test.windows.push(hers, theirs)
        const page = await signIn(alpha, hers, 'ann')
        await open(page, 'chief')
        await say(page, 'what is said today')
        const last = `line ${MESSAGES}`
        await message(page, last).first().waitFor()
        assert.match(await kept(page), new RegExp(last))

        const admin = await signIn(alpha, theirs, 'chief')
        await admin.goto(`https://${alpha.domain}/admin`)
        await admin.goto(`https://${alpha.domain}/admin`)
        await admin.getByRole('navigation', { name: 'Administration' }).getByRole('button', { name: 'Policies', exact: true }).click()
        const days = admin.getByLabel('Days for which messages are kept')
        await days.fill('soon')
        await admin.getByText('0 to 36600 days.').waitFor()
        await days.fill('30')
        await admin.getByRole('button', { name: 'Save', exact: true }).click()
        const sure = admin.getByRole('dialog')
        await sure.getByText(`${MESSAGES} messages are older and are erased at once.`).waitFor()
        await accessible(admin, 'how much would go')
        assert.equal(await message(page, last).count(), 1, 'nothing goes before it is confirmed')
        await sure.getByRole('button', { name: 'Erase and save' }).click()
        await admin.getByText('Saved').first().waitFor()

        // The open window hears of it.
        await messages(page).filter({ hasText: 'No longer kept' }).first().waitFor()
        await message(page, /^line /).first().waitFor({ state: 'detached' })
        assert.equal(await message(page, 'what is said today').count(), 1)
        await accessible(page, 'a conversation of which most is kept no longer')
        await page.getByRole('button', { name: 'Details' }).first().click()
        await page.locator('aside').getByText('Messages are kept for 30 days on this server.').waitFor()
        // What it keeps, also of what was not on the screen, goes as well.
        while (/line \d/.test(await kept(page))) await new Promise((later) => setTimeout(later, 100))
        assert.match(await kept(page), /what is said today/)

        // Who comes later finds nothing either: in the list, in the conversation, by searching.
        const third = await Window.open(browser)
        test.windows.push(third)
        const later = await signIn(alpha, third, 'ann')
        await row(later, 'chief').getByText('what is said today').waitFor()
        await later.keyboard.press('Control+k')
        await finder(later).fill('line')
        await later.getByRole('dialog', { name: 'Search' }).getByText('Nothing found').first().waitFor()
      } finally {
        await browser.close()
        await world.end(false)
      }
    },
  },
]
