// Two people of two domains, each in a browser of their own, and what goes between them.

import assert from 'node:assert/strict'
import { accessible, DESKTOP, PHONE, Window } from '../harness/person.mjs'
import { act, comeIn, composer, finder, fresh, message, open, row, say, signIn, signUp, stateOf, talkIsReady, talkTo, times, user } from '../harness/steps.mjs'

/** Names are new in each test: the nodes are the same for all. */

async function person(test, node, name, options) {
  const window = await Window.open(test.browser, options)
  test.windows.push(window)
  const page = await comeIn(node, window, name)
  return { window, page, name, node, user: user(name, node) }
}

/** Somebody on each domain, who have said something to each other already. */
export async function pair(test, options = {}) {
  const { alpha, beta } = test.world
  const ann = await person(test, alpha, fresh('ann'), options)
  const ben = await person(test, beta, fresh('ben'), options)
  await talkTo(ann.page, ben.user)
  await say(ann.page, 'a first word')
  await accepted(ben.page, ann)
  await say(ben.page, 'a first answer')
  await message(ann.page, 'a first answer').waitFor()
  return { ann, ben }
}

/** A first contact from another domain waits until it is accepted. */
async function accepted(page, from) {
  await page.getByRole('link', { name: /1 request/ }).first().click()
  await page.getByText(from.name).first().click()
  await page.getByRole('button', { name: 'Accept' }).first().click()
  await composer(page).waitFor()
}

export const talk = [
  {
    name: 'an account by a one-time link, codes shown once, and the list',
    async run(test) {
      const window = await Window.open(test.browser)
      test.windows.push(window)
      const page = await signUp(test.world.alpha, window, fresh('link'))
      await accessible(page, 'the empty list')
      await page.reload()
      await talkIsReady(page)
      await window.check()
    },
  },
  {
    name: 'a message goes to another domain and comes back, and is delivered and read',
    async run(test) {
      const { ann, ben } = await pair(test)
      await say(ann.page, 'does it arrive? 到了吗？')
      await message(ben.page, 'does it arrive? 到了吗？').waitFor()
      await stateOf(ann.page, 'does it arrive?', 'Read')
      await say(ben.page, 'it does')
      await message(ann.page, 'it does').waitFor()
      assert.equal(await times(ben.page, 'does it arrive?'), 1)
      await accessible(ann.page, 'a conversation')
    },
  },
  {
    name: 'edit and recall are seen by the other domain',
    async run(test) {
      const { ann, ben } = await pair(test)
      await say(ann.page, 'with a mistaek')
      await message(ben.page, 'with a mistaek').waitFor()
      await act(ann.page, 'with a mistaek', 'Edit')
      await composer(ann.page).fill('without a mistake')
      await composer(ann.page).press('Enter')
      await message(ben.page, 'without a mistake').getByText('edited').waitFor()
      assert.equal(await times(ben.page, 'mistaek'), 0)
      await act(ann.page, 'without a mistake', 'Recall')
      await ann.page.getByRole('dialog').getByRole('button', { name: 'Recall' }).click()
      await ben.page.getByText('recalled a message').first().waitFor()
      assert.equal(await times(ben.page, 'without a mistake'), 0)
    },
  },
  {
    name: 'without a connection one reads and writes, and it goes out once when there is one again',
    async run(test) {
      const { ann, ben } = await pair(test)
      test.world.alpha.gate.cut()
      await say(ann.page, 'said in a tunnel')
      await stateOf(ann.page, 'said in a tunnel', 'Sending')
      await ann.page.getByText(/No connection/).first().waitFor()
      await ann.page.reload()
      await message(ann.page, 'a first answer').waitFor()
      await message(ann.page, 'said in a tunnel').waitFor()
      test.world.alpha.gate.mend()
      await message(ben.page, 'said in a tunnel').waitFor({ timeout: 60_000 })
      await stateOf(ann.page, 'said in a tunnel', 'Read')
      assert.equal(await times(ben.page, 'said in a tunnel'), 1)
      assert.equal(await times(ann.page, 'said in a tunnel'), 1)
    },
  },
  {
    name: 'a page loaded anew while its messages are on their way sends each exactly once',
    async run(test) {
      const { ann, ben } = await pair(test)
      // The node takes them, and its answers are lost with the page.
      test.world.alpha.gate.hold()
      for (let n = 1; n <= 5; n++) await say(ann.page, `counted ${n}.`)
      await message(ben.page, 'counted 5.').waitFor()
      test.world.alpha.gate.cut()
      test.world.alpha.gate.mend()
      await ann.page.reload()
      await stateOf(ann.page, 'counted 5.', 'Read')
      await say(ann.page, 'and a last one')
      await message(ben.page, 'and a last one').waitFor()
      for (let n = 1; n <= 5; n++) {
        assert.equal(await times(ben.page, `counted ${n}.`), 1, `counted ${n}. at the other domain`)
        assert.equal(await times(ann.page, `counted ${n}.`), 1, `counted ${n}. here`)
      }
    },
  },
  {
    name: 'two tabs are one connection, and see the same',
    async run(test) {
      const { ann } = await pair(test)
      await ann.page.bringToFront()
      const before = await test.world.alpha.connections()
      const second = await ann.window.page('https://alpha.test/')
      await talkIsReady(second)
      await open(second, 'ben')
      await say(second, 'from the second tab')
      await message(ann.page, 'from the second tab').waitFor()
      await message(second, 'from the second tab').waitFor()
      assert.equal(await test.world.alpha.connections(), before)
      // The first tab goes, the second goes on.
      await ann.page.close()
      await say(second, 'alone now')
      await message(second, 'alone now').waitFor()
      assert.equal(await times(second, 'from the second tab'), 1)
    },
  },
  {
    name: 'a browser without shared workers does the same with one tab leading',
    async run(test) {
      const { ann, ben } = await pair(test, { without: ['SharedWorker'] })
      const before = await test.world.alpha.connections()
      const second = await ann.window.page('https://alpha.test/')
      await talkIsReady(second)
      await open(second, 'ben')
      assert.equal(await test.world.alpha.connections(), before)
      await say(second, 'through the leader')
      await message(ben.page, 'through the leader').waitFor()
      await message(ann.page, 'through the leader').waitFor()
      await ann.page.close()
      await say(second, 'as the leader')
      await message(ben.page, 'as the leader').waitFor()
      assert.equal(await times(ben.page, 'through the leader'), 1)
    },
  },
  {
    name: 'a node killed and started again underneath loses and doubles nothing',
    async run(test) {
      const { ann, ben } = await pair(test)
      for (let n = 1; n <= 3; n++) await say(ann.page, `before the fall ${n}.`)
      await test.world.alpha.kill()
      for (let n = 4; n <= 6; n++) await say(ann.page, `before the fall ${n}.`)
      await test.world.alpha.start()
      await message(ben.page, 'before the fall 6.').waitFor({ timeout: 90_000 })
      for (let n = 1; n <= 6; n++) {
        assert.equal(await times(ben.page, `before the fall ${n}.`), 1)
        assert.equal(await times(ann.page, `before the fall ${n}.`), 1)
      }
    },
  },
  {
    name: 'a device that was signed out elsewhere says so, and what waits is kept',
    async run(test) {
      const { ann } = await pair(test)
      const other = await Window.open(test.browser)
      test.windows.push(other)
      const page = await signIn(test.world.alpha, other, ann.name)
      await page.goto('https://alpha.test/settings/security')
      
      await page.getByRole('button', { name: /^Sign out/ }).first().click()
      await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
      await ann.page.getByText(/signed out/).first().waitFor()
    },
  },
  {
    name: 'an input method has Enter first, in every browser’s order of events',
    async run(test) {
      const { ann } = await pair(test)
      const field = composer(ann.page)
      await field.focus()
      const session = await ann.page.context().newCDPSession(ann.page)
      await session.send('Input.imeSetComposition', { text: 'ni', selectionStart: 2, selectionEnd: 2 })
      // Enter while composing: the browser says 229, and the method takes the key.
      await field.dispatchEvent('keydown', { key: 'Enter', keyCode: 229, isComposing: true, bubbles: true })
      assert.equal(await times(ann.page, 'ni'), 0, 'nothing was sent')
      await session.send('Input.insertText', { text: '你好' })
      assert.equal(await field.inputValue(), '你好')
      // Safari: the composition ends first, and the Enter that ended it comes after, with 229.
      await field.dispatchEvent('compositionstart', { bubbles: true })
      await field.dispatchEvent('compositionend', { bubbles: true, data: '你好' })
      await field.dispatchEvent('keydown', { key: 'Enter', keyCode: 229, isComposing: false, bubbles: true })
      assert.equal(await times(ann.page, '你好'), 0, 'the Enter of the method sent nothing')
      // A person's next press is not as near as the second event of one press.
      await ann.page.waitForTimeout(100)
      await field.press('Enter')
      await message(ann.page, '你好').waitFor()
      assert.equal(await times(ann.page, '你好'), 1)
    },
  },
  {
    name: 'what is typed survives a reload',
    async run(test) {
      const { ann } = await pair(test)
      await composer(ann.page).fill('half a thou')
      await ann.page.reload()
      await composer(ann.page).waitFor()
      await ann.page.waitForFunction(() => [...document.querySelectorAll('textarea')].some((t) => t.value === 'half a thou'))
    },
  },
  {
    name: 'on a phone there is one column, and the way back is the browser’s',
    async run(test) {
      const { ann } = await pair(test, { size: PHONE })
      await accessible(ann.page, 'a conversation on a phone')
      const width = await ann.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
      assert.ok(width[0] <= width[1], `nothing is wider than the phone: ${width}`)
      assert.equal(await row(ann.page, 'ben').isVisible(), false)
      await ann.page.goBack()
      await row(ann.page, 'ben').waitFor()
      await accessible(ann.page, 'the list on a phone')
      await row(ann.page, 'ben').click()
      await composer(ann.page).waitFor()
      await ann.page.getByRole('button', { name: 'Back' }).first().click()
      await row(ann.page, 'ben').waitFor()
    },
  },
  {
    name: 'everything is reached by keyboard: find, write, edit the last, leave',
    async run(test) {
      const { ann, ben } = await pair(test)
      const keys = ann.page.keyboard
      await keys.press('Control+k')
      await keys.type(ben.name)
      await keys.press('Enter')
      await keys.type('typed without a mouse')
      await keys.press('Enter')
      await message(ben.page, 'typed without a mouse').waitFor()
      // What was said can be changed once the node's answer is here, which may be after Ben has it.
      for (let tries = 0; tries < 100 && (await composer(ann.page).inputValue()) === ''; tries += 1) {
        await keys.press('ArrowUp')
        await ann.page.waitForTimeout(50)
      }
      await keys.press('End')
      await keys.type(', and edited')
      await keys.press('Enter')
      await message(ben.page, 'typed without a mouse, and edited').waitFor()
      // Among the messages: the menu of one, and back in the order in which one went in.
      const focused = () => ann.page.evaluate(() => {
        const e = document.activeElement
        const style = e && getComputedStyle(e)
        const seen = e === document.body || (style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || style.boxShadow !== 'none' || e.closest('[class*=composer], form, .box, .field') !== null
        return { role: e?.getAttribute('role') ?? e?.tagName.toLowerCase(), words: e?.getAttribute('aria-label') ?? e?.textContent?.trim().slice(0, 40), seen }
      })
      await keys.press('Shift+ArrowUp')
      await ann.page.waitForFunction(() => document.activeElement.tagName === 'ARTICLE')
      assert.equal((await focused()).seen, true, 'one sees on which message one is')
      await keys.press('Enter')
      await ann.page.getByRole('menu').waitFor()
      await keys.press('Escape')
      await ann.page.getByRole('menu').waitFor({ state: 'detached' })
      await ann.page.waitForFunction(() => document.activeElement.closest('article') !== null)
      await keys.press('Escape')
      await ann.page.waitForFunction(() => document.activeElement.tagName === 'TEXTAREA')
      // The list of keys, from anywhere where nobody writes.
      await keys.press('Shift+ArrowUp')
      await keys.press('?')
      const list = ann.page.getByRole('dialog', { name: 'Keyboard shortcuts' })
      await list.waitFor()
      await list.getByText('Ctrl+K').waitFor()
      await accessible(ann.page, 'the keys')
      await keys.press('Escape')
      await list.waitFor({ state: 'detached' })
      assert.equal((await focused()).role, 'article', 'the focus is where it was')
      await keys.press('Escape')
      // The search, with the arrows.
      await keys.press('Control+k')
      const field = finder(ann.page)
      await field.waitFor()
      const first = await field.getAttribute('aria-activedescendant')
      await field.fill('')
      await keys.press('ArrowDown')
      await keys.press('ArrowUp')
      assert.equal(await field.getAttribute('aria-activedescendant'), first)
      await keys.press('Escape')
      await field.waitFor({ state: 'detached' })
      await ann.page.waitForFunction(() => document.activeElement.tagName === 'TEXTAREA')
      // Tab goes round everything, and one sees where one is at each stop.
      const stops = []
      const hidden = []
      for (let n = 0; n < 60; n++) {
        await keys.press('Tab')
        const at = await focused()
        stops.push(at.words ?? '')
        if (!at.seen) hidden.push(`${at.role} ${at.words}`)
      }
      assert.deepEqual(hidden, [], 'stops at which nothing is seen')
      for (const wanted of ['Chats', 'Requests', 'Settings', 'New conversation', 'details']) {
        assert.ok(stops.some((s) => s.toLowerCase().includes(wanted.toLowerCase())), `${wanted} is reached by Tab: ${[...new Set(stops)].join(' | ')}`)
      }
    },
  },
  {
    name: 'in Chinese, and back, without loading anew',
    async run(test) {
      const window = await Window.open(test.browser, { language: 'zh', size: DESKTOP })
      test.windows.push(window)
      const page = await window.page(`https://alpha.test/join/${await test.world.alpha.invitation()}`)
      await page.getByText('alpha.test').first().waitFor()
      assert.equal(await page.evaluate(() => document.documentElement.lang.slice(0, 2)), 'zh')
      await accessible(page, 'the ways in, in Chinese')
      await page.evaluate(() => (globalThis.__same = true))
      await page.getByRole('button', { name: 'English' }).click()
      await page.getByRole('button', { name: 'Make an account' }).waitFor()
      await page.getByRole('button', { name: '中文' }).click()
      await page.getByRole('button', { name: 'Make an account' }).waitFor({ state: 'detached' })
      assert.equal(await page.evaluate(() => globalThis.__same), true, 'nothing was loaded anew')
    },
  },
]
