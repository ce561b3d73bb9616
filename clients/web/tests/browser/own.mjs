// What is one's own on all of one's browsers: the list, remarks, presence and hours, automatic answers, refused requests.

import assert from 'node:assert/strict'
import { accessible, PHONE, Window } from '../harness/person.mjs'
import { comeIn, composer, fresh, message, messages, open, row, say, signIn, talkTo, user } from '../harness/steps.mjs'
import { pair } from './talk.mjs'

/** The same person at another browser. */
async function second(test, who, options) {
  const window = await Window.open(test.browser, options)
  test.windows.push(window)
  return { ...who, window, page: await signIn(who.node, window, who.name) }
}

async function person(test, node, name) {
  const window = await Window.open(test.browser)
  test.windows.push(window)
  return { window, name, node, user: user(name, node), page: await comeIn(node, window, name) }
}

const names = (page) => page.getByRole('navigation', { name: 'Conversations' }).getByRole('link').locator('.name').allInnerTexts()

async function inMenu(page, name, ...items) {
  await row(page, name).click({ button: 'right' })
  for (const item of items) await page.getByRole('menuitem', { name: item }).first().click()
}

async function until(page, what, test) {
  for (let n = 0; n < 150; n++) {
    if (await test()) return
    await page.waitForTimeout(100)
  }
  throw new Error(`never: ${what}`)
}

const settings = (page, where) => page.goto(new URL(`/settings/${where}`, page.url()).href)

export const own = [
  {
    name: 'own: what is pinned, muted, hidden or marked is so on the other browser, and a toast takes it back',
    async run(test) {
      const { alpha } = test.world
      const ann = await person(test, alpha, fresh('ann'))
      const others = []
      for (const name of ['one', 'two']) {
        const other = await person(test, alpha, fresh(name))
        await talkTo(other.page, ann.user)
        await say(other.page, `from ${name}`)
        await row(ann.page, `from ${name}`).waitFor()
        others.push(other)
      }
      const [one, two] = others
      const there = await second(test, ann, { size: PHONE })
      await row(there.page, 'from two').waitFor()
      assert.deepEqual(await names(there.page), [two.name, one.name])
      await inMenu(ann.page, one.name, 'Pin to the top')
      await until(there.page, 'it is above the newer one', async () => (await names(there.page))[0] === one.name)
      await row(there.page, one.name).getByText('Pinned to the top').waitFor({ state: 'attached' })
      await inMenu(ann.page, two.name, 'Mute', 'For a day')
      await row(there.page, two.name).getByText('Muted').first().waitFor({ state: 'attached' })
      // Two are unread, and one of them is muted: the count says one.
      await until(there.page, 'the muted one is not counted', async () => (await there.page.title()).startsWith('(1)'))
      await ann.page.getByRole('button', { name: 'Undo' }).last().click()
      await until(there.page, 'it is counted again', async () => (await there.page.title()).startsWith('(2)'))
      await inMenu(ann.page, two.name, 'Hide until something new')
      await until(there.page, 'it is hidden', async () => (await names(there.page)).length === 1)
      await say(two.page, 'something new')
      await row(there.page, 'something new').waitFor()
      await open(ann.page, one.name)
      await inMenu(ann.page, one.name, 'Mark as unread')
      await row(there.page, one.name).getByText('Marked as unread').waitFor({ state: 'attached' })
      await accessible(there.page, 'the list with what is pinned, on a phone')
    },
  },
  {
    name: 'own: a remark stands for the name everywhere, on the other browser too, and the card shows both',
    async run(test) {
      const { ann, ben } = await pair(test)
      const there = await second(test, ann)
      await row(ann.page, ben.name).waitFor()
      await ann.page.goto(ann.page.url().replace(/\/?$/, '/details'))
      await ann.page.getByRole('complementary').getByRole('button', { name: 'Profile' }).click()
      const card = ann.page.getByRole('dialog')
      await card.getByRole('button', { name: 'Remark' }).click()
      await card.getByLabel('Remark').fill('楼下的小王')
      await card.getByRole('button', { name: 'Save' }).click()
      await card.getByText(`Calls themselves ${ben.name}`).waitFor()
      await card.getByRole('button', { name: 'Star: keep at hand' }).click()
      await card.getByRole('button', { name: 'Remove the star' }).waitFor()
      await accessible(ann.page, 'a card with a remark')
      await row(there.page, '楼下的小王').waitFor()
      await open(there.page, '楼下的小王')
      await there.page.getByRole('combobox', { name: 'Write to 楼下的小王' }).waitFor()
      await there.page.goto('https://alpha.test/')
      await there.page.getByRole('button', { name: 'New conversation' }).first().click()
      await there.page.getByRole('menuitem', { name: 'New conversation' }).click()
      await there.page.getByRole('dialog').getByRole('heading', { name: 'Starred' }).waitFor()
      await there.page.getByRole('dialog').getByRole('button', { name: '楼下的小王' }).waitFor()
      assert.equal(await ben.page.getByText('楼下的小王').count(), 0, 'nobody else sees it')
    },
  },
  {
    name: 'own: an automatic answer is given exactly once between two who are both away, and is marked',
    async run(test) {
      const { ann, ben } = await pair(test)
      for (const one of [ann, ben]) {
        const at = one.page.url()
        await settings(one.page, 'availability')
        await one.page.getByLabel('Away', { exact: true }).check()
        await one.page.getByLabel('What is answered').fill(`${one.name} is away`)
        await one.page.getByRole('switch', { name: 'While I am away' }).click()
        await one.page.locator('form.reply').getByRole('button', { name: 'Save' }).click()
        await until(one.page, 'it is saved', async () => one.page.locator('form.reply').getByRole('button', { name: 'Save' }).isDisabled())
        await one.page.goto(at)
        await composer(one.page).waitFor()
      }
      await say(ann.page, 'are you there?')
      await message(ann.page, `${ben.name} is away`).waitFor()
      await message(ann.page, `${ben.name} is away`).getByText('Automatic answer').waitFor({ state: 'attached' })
      await say(ann.page, 'once more')
      await message(ben.page, 'once more').waitFor()
      // The way there and back is over when the next word has made it.
      await say(ben.page, 'here I am')
      await message(ann.page, 'here I am').waitFor()
      await message(ben.page, `${ann.name} is away`).waitFor()
      assert.equal(await messages(ann.page).filter({ hasText: `${ben.name} is away` }).count(), 1)
      assert.equal(await messages(ben.page).filter({ hasText: `${ann.name} is away` }).count(), 1)
      await test.world.beta.kill()
      await test.world.beta.start()
      await say(ann.page, 'after a kill')
      await message(ben.page, 'after a kill').waitFor()
      assert.equal(await messages(ann.page).filter({ hasText: `${ben.name} is away` }).count(), 1)
    },
  },
  {
    name: 'own: who does not want to be disturbed sees and is told so, by hand and by hours, and others see it',
    async run(test) {
      const { alpha } = test.world
      const ann = await person(test, alpha, fresh('calm'))
      const ben = await person(test, alpha, fresh('loud'))
      await talkTo(ben.page, ann.user)
      await say(ben.page, 'hello')
      await row(ann.page, 'hello').waitFor()
      await ann.window.context.grantPermissions(['notifications'], { origin: 'https://alpha.test' })
      await ann.page.addInitScript(() => {
        globalThis.__shown = []
        document.hasFocus = () => false
        const Real = globalThis.Notification
        globalThis.Notification = class extends Real {
          constructor(title, options) { super(title, options); globalThis.__shown.push(options.body) }
        }
      })
      await settings(ann.page, 'notifications')
      await ann.page.getByRole('switch', { name: 'Tell of new messages' }).click()
      await settings(ann.page, 'availability')
      await ann.page.getByLabel('Do not disturb').check()
      await ann.page.getByLabel('Status').fill('in a meeting')
      await ann.page.locator('form').filter({ has: ann.page.getByLabel('Status') }).getByRole('button', { name: 'Save' }).click()
      await ben.page.getByText('Do not disturb').first().waitFor()
      await ben.page.getByText('in a meeting').first().waitFor()
      await say(ben.page, 'into the calm')
      await until(ann.page, 'it arrives', async () => (await row(ann.page, 'into the calm').count()) > 0)
      assert.deepEqual(await ann.page.evaluate(() => globalThis.__shown), [])
      await ann.page.getByLabel('As I am').check()
      await ben.page.getByText('Do not disturb').first().waitFor({ state: 'hidden' })
      await say(ben.page, 'and now?')
      await ann.page.waitForFunction(() => globalThis.__shown.includes('and now?'))
      await ann.page.getByRole('button', { name: 'Add hours' }).click()
      await ann.page.getByLabel('From').waitFor()
      // The second is typed before the first is answered.
      alpha.gate.hold()
      await ann.page.getByLabel('From').fill('00:00')
      await ann.page.getByLabel('Until').fill('23:59')
      alpha.gate.mend()
      await ben.page.getByText('Do not disturb').first().waitFor()
      await accessible(ann.page, 'presence and hours')
      await ann.page.getByRole('button', { name: 'Remove these hours' }).click()
      await ben.page.getByText('Do not disturb').first().waitFor({ state: 'hidden' })
      await settings(ann.page, 'privacy')
      await ann.page.getByRole('group', { name: 'Whether I am there' }).getByLabel('Nobody').check()
      await until(ben.page, 'nothing is seen', async () => (await ben.page.locator('.dot.online').count()) === 0)
      await accessible(ann.page, 'privacy')
    },
  },
  {
    name: 'own: a request that was refused is refused on the other browser, and a question lets in who knows the answer',
    async run(test) {
      const { alpha, beta } = test.world
      const ann = await person(test, alpha, fresh('asker'))
      const ben = await person(test, beta, fresh('asked'))
      const there = await second(test, ben)
      await talkTo(ann.page, ben.user)
      await say(ann.page, 'we met last week')
      for (const at of [ben, there]) {
        await at.page.getByRole('link', { name: /1 request/ }).first().click()
        await at.page.getByText('we met last week').first().waitFor()
      }
      await ben.page.getByRole('main', { name: 'Requests' }).getByRole('button', { name: 'Refuse' }).click()
      await there.page.getByText('No requests.').waitFor()
      await there.page.reload()
      await there.page.getByText('No requests.').waitFor()
      assert.equal(await row(there.page, ann.name).count(), 0)
      await settings(ben.page, 'privacy')
      await ben.page.getByLabel('Who answers a question; others ask').check()
      await ben.page.getByLabel('The question').fill('Who sent you?')
      await ben.page.getByLabel('The answer').fill('Carol')
      await ben.page.getByRole('button', { name: 'Save' }).click()
      await until(ben.page, 'it is saved', async () => ben.page.getByRole('button', { name: 'Save' }).isDisabled())
      const knows = await person(test, alpha, fresh('knows'))
      await talkTo(knows.page, ben.user)
      await say(knows.page, 'carol')
      await row(there.page, 'carol').waitFor()
    },
  },
]

