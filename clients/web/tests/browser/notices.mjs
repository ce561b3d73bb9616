// What the browser shows of new messages while the client is open and nobody looks at it.

import assert from 'node:assert/strict'
import { message, open, row, say } from '../harness/steps.mjs'
import { pair } from './talk.mjs'

/** Notes what is shown, and lets a test look away: a driven page always has the focus. */
function watch() {
  globalThis.__shown = []
  globalThis.__away = false
  const has = document.hasFocus.bind(document)
  document.hasFocus = () => !globalThis.__away && has()
  const Real = globalThis.Notification
  globalThis.Notification = class extends Real {
    constructor(title, options) {
      super(title, options)
      globalThis.__shown.push({ title, body: options.body, tag: options.tag, icon: options.icon, notification: this })
    }
  }
}

const shown = (page) => page.evaluate(() => globalThis.__shown.map(({ title, body, tag }) => ({ title, body, tag })))
const away = (page, now) => page.evaluate((a) => (globalThis.__away = a), now)

export const notices = [
  {
    name: 'new messages are told of while nobody looks, as much as is wanted, and lead to where they were said',
    async run(test) {
      const { ann, ben } = await pair(test)
      await ann.window.context.grantPermissions(['notifications'], { origin: 'https://alpha.test' })
      await ann.page.addInitScript(watch)
      await ann.page.goto('https://alpha.test/settings/notifications')
      await ann.page.getByRole('switch', { name: 'Tell of new messages' }).click()
      assert.equal(await ann.page.getByRole('switch', { name: 'Tell of new messages' }).isChecked(), true)
      await say(ben.page, 'while she looks')
      await row(ann.page, 'while she looks').waitFor()
      assert.deepEqual(await shown(ann.page), [], 'who looks is not told')
      await away(ann.page, true)
      await say(ben.page, 'while she is away')
      await ann.page.waitForFunction(() => globalThis.__shown.length === 1)
      const [first] = await shown(ann.page)
      assert.deepEqual([first.title, first.body], [ben.name, 'while she is away'])
      const icon = await ann.page.evaluate(async () => (await fetch(globalThis.__shown[0].icon)).headers.get('content-type'))
      assert.equal(icon, 'image/png')
      await ann.page.getByRole('switch').nth(1).click()
      await say(ben.page, 'nobody is to read this')
      await ann.page.waitForFunction(() => globalThis.__shown.length === 2)
      const [, second] = await shown(ann.page)
      assert.deepEqual([second.title, second.body, second.tag], ['Startalk', '', first.tag])
      // Pressed: the conversation is there.
      await ann.page.evaluate(() => globalThis.__shown[1].notification.onclick(new Event('click')))
      await message(ann.page, 'nobody is to read this').waitFor()
      await away(ann.page, false)
      // What is muted is not told of.
      const details = ann.page.locator('button[aria-expanded][title="Details"]')
      if ((await details.getAttribute('aria-expanded')) === 'false') await details.click()
      await ann.page.getByRole('complementary').getByRole('switch').first().click()
      await row(ann.page, ben.name).getByText(/muted/i).first().waitFor({ state: 'attached' })
      await away(ann.page, true)
      await say(ben.page, 'into the silence')
      await message(ann.page, 'into the silence').waitFor()
      assert.equal((await shown(ann.page)).length, 2)
    },
  },
]
