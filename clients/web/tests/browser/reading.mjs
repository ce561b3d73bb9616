// Finding one's place: what is come back to, the first day of a long conversation, a large group's members; and a draft that
// nobody loses by passing.

import assert from 'node:assert/strict'
import { accessible, Window } from '../harness/person.mjs'
import { comeIn, composer, message, messages, open, row, say, signIn, talkTo } from '../harness/steps.mjs'

const MESSAGES = 3000
const MEMBERS = 2000
/** Rows of a list in the page, however long the list is. */
const DRAWN_MAX = 80

async function signedIn(test, name, known = false) {
  const window = await Window.open(test.browser)
  test.windows.push(window)
  return known ? signIn(test.world.alpha, window, name) : comeIn(test.world.alpha, window, name)
}

export const reading = [
  {
    name: 'a draft stays though one passes its conversation before it has come',
    async run(test) {
      const page = await signedIn(test, 'dora')
      for (const name of ['drew', 'dean']) {
        await test.world.alpha.account(name)
        await talkTo(page, `${name}@alpha.test`)
        await say(page, `hello ${name}`)
        await message(page, `hello ${name}`).waitFor()
      }
      await open(page, 'drew')
      await composer(page).fill('not finished yet')
      await open(page, 'dean')
      await row(page, 'drew').getByText('not finished yet').waitFor()
      const path = await row(page, 'drew').getAttribute('href')
      // There and away in one turn of the page: no answer can have come.
      await page.evaluate(async (to) => {
        const back = location.pathname
        for (const one of [to, back]) {
          history.pushState({ depth: 1 }, '', one)
          dispatchEvent(new PopStateEvent('popstate'))
          for (let i = 0; i < 5; i++) await Promise.resolve()
        }
      }, path)
      await open(page, 'drew')
      await page.waitForFunction(() => document.querySelector('.composer textarea')?.value === 'not finished yet', undefined, { timeout: 5000 })
    },
  },
  {
    name: 'what is marked as unread is so until it is opened, after a reload too',
    async run(test) {
      const page = await signedIn(test, 'mara')
      for (const name of ['mona', 'milo']) {
        await test.world.alpha.account(name)
        await talkTo(page, `${name}@alpha.test`)
        await say(page, `hello ${name}`)
      }
      await row(page, 'mona').click({ button: 'right' })
      await page.getByRole('menuitem', { name: 'Mark as unread' }).click()
      await row(page, 'mona').getByText('Marked as unread').waitFor({ state: 'attached' })
      await page.getByRole('button', { name: 'Unread', exact: true }).click()
      await row(page, 'mona').waitFor()
      await page.reload()
      await row(page, 'mona').getByText('Marked as unread').waitFor({ state: 'attached' })
      await open(page, 'mona')
      await row(page, 'mona').getByText('Marked as unread').waitFor({ state: 'detached' })
    },
  },
  {
    name: `to the beginning of ${MESSAGES} messages by the day`,
    async run(test) {
      for (const name of ['dana', 'dirk']) await test.world.alpha.account(name)
      await test.world.alpha.talk('dana', 'dirk', MESSAGES)
      const page = await signedIn(test, 'dana', true)
      await open(page, 'dirk')
      await messages(page).first().waitFor()
      // The day stands above its first message: on the way there is none, so the first day is gone to by its field.
      await page.getByRole('button', { name: 'Go to a day' }).first().click()
      const dialog = page.getByRole('dialog')
      await accessible(page, 'going to a day')
      await dialog.getByRole('button', { name: 'The beginning' }).click()
      await messages(page).filter({ hasText: /^line 1\b|line 1\D/ }).first().waitFor()
    },
  },
  {
    name: `${MEMBERS} members are looked through, and few are in the page`,
    async run(test) {
      const { alpha } = test.world
      await alpha.populated(MEMBERS, MEMBERS)
      const page = await signedIn(test, 'u0000', true)
      await open(page, 'Load')
      const details = page.locator('button[aria-expanded][title="Details"]')
      if ((await details.getAttribute('aria-expanded')) === 'false') await details.click()
      await page.locator('aside').getByRole('button', { name: /^Members/ }).click()
      const list = page.getByRole('list', { name: 'Members' })
      await list.getByText('u0000').first().waitFor()
      await accessible(page, 'members')
      const last = `u${MEMBERS - 1}`
      const most = await page.evaluate(async (wanted) => {
        const list = document.querySelector('ul[aria-label="Members"]')
        let scroller = list.parentElement
        while (!/auto|scroll/.test(getComputedStyle(scroller).overflowY)) scroller = scroller.parentElement
        let most = 0
        for (let i = 0; i < 2000 && !list.textContent.includes(wanted); i++) {
          scroller.scrollTop = scroller.scrollHeight
          await new Promise((next) => setTimeout(next, 20))
          most = Math.max(most, list.children.length)
        }
        return list.textContent.includes(wanted) ? most : -1
      }, last)
      assert.ok(most > 0 && most < DRAWN_MAX, `${most} rows were in the page at most`)
      await page.getByLabel('Find a member').fill('u1234')
      await list.getByText('u1234@alpha.test').waitFor()
      assert.equal(await list.getByRole('listitem').count(), 1)
    },
  },
]
