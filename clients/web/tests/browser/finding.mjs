// Finding: the one box, in a conversation, by pinyin where somebody is called; over two domains, without a connection, and
// nothing that is not one's own to find.

import assert from 'node:assert/strict'
import { accessible, PHONE, Window } from '../harness/person.mjs'
import { act, comeIn, composer, finder, message, open, row, say, signIn, talkTo, user } from '../harness/steps.mjs'
import { group } from './groups.mjs'
import { pair } from './talk.mjs'

/** What is found, as one sees it in the box. */
const box = (page) => page.getByRole('dialog', { name: 'Search' })
const hits = (page, sort) => box(page).getByRole('group', { name: sort, exact: true }).getByRole('option')
const here = (page) => page.getByRole('search')

async function look(page, words, tab) {
  if (!(await box(page).isVisible())) await page.keyboard.press('Control+k')
  if (tab) await box(page).getByRole('tab', { name: tab, exact: true }).click()
  await finder(page).fill(words)
}
/** The index is a moment behind what was said. */
async function until(page, words, tab, hit) {
  for (let n = 0; n < 40; n++) {
    await look(page, '', tab)
    await look(page, words, tab)
    const there = await hit.first().waitFor({ timeout: 500 }).then(() => true, () => false)
    if (there) return
  }
  throw new Error(`${words} was not found`)
}
/** Nothing is found, and the node has said so. */
async function nothing(page, words) {
  await look(page, words, 'Messages')
  await box(page).getByText('Nothing found', { exact: true }).waitFor()
  assert.equal(await hits(page, 'Messages').count(), 0)
}
async function callMyself(page, name) {
  await page.goto(new URL('/settings/profile', page.url()).href)
  await page.getByLabel('Shown name').fill(name)
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Saved', { exact: true }).waitFor()
  await page.goto(new URL('/', page.url()).href)
}
/** What is marked in the timeline, as it is written there. */
const marked = (page, name = 'startalk-found-now') => page.evaluate((of) => [...(CSS.highlights.get(of) ?? [])].map(String), name)

export const finding = [
  {
    name: 'people are called and chosen by pinyin and initials, over two domains',
    async run(test) {
      const { ann, ben } = await group(test, 'By pinyin')
      await ben.page.getByRole('link', { name: /Requests/ }).first().click()
      await ben.page.getByRole('button', { name: /^(Accept|Join)/ }).first().click()
      await row(ben.page, 'By pinyin').waitFor()
      await callMyself(ben.page, '张三丰')
      await row(ann.page, '张三丰').waitFor() // the other domain has heard of it
      await until(ann.page, 'zsf', 'People', hits(ann.page, 'People').filter({ hasText: '张三丰' }))
      await ann.page.keyboard.press('Escape')
      await open(ann.page, 'By pinyin')
      for (const letters of ['@zhangsanf', '@zsf', '@sanfeng', '@張三', `@${ben.name}`]) {
        await composer(ann.page).fill('')
        await composer(ann.page).pressSequentially(letters)
        const offer = ann.page.getByRole('listbox').getByRole('option').filter({ hasText: '张三丰' })
        await offer.waitFor()
        assert.equal(await offer.count(), 1, `${letters} offers him once`)
        await composer(ann.page).press('Enter')
        await ann.page.waitForFunction(() => document.querySelector('.composer textarea').value.trim() === '@张三丰')
      }
      await composer(ann.page).fill('')
      await say(ann.page, 'said for all')
      await message(ann.page, 'said for all').waitFor()
      // Enter right after the last letter, before anybody has answered, calls who is meant by all of them.
      await composer(ann.page).fill('')
      await composer(ann.page).pressSequentially('@zs')
      await ann.page.getByRole('listbox').getByRole('option').filter({ hasText: '张三丰' }).waitFor()
      await composer(ann.page).pressSequentially('x')
      await ann.page.getByRole('listbox', { name: /./ }).getByRole('option').filter({ hasText: '张三丰' }).waitFor({ state: 'detached' })
      await composer(ann.page).fill('')
      // Without a connection it is by what is written in their names.
      await accessible(ann.page, 'the composer')
      test.world.alpha.gate.cut()
      await ann.page.getByText(/No connection/).first().waitFor()
      await composer(ann.page).pressSequentially('@张')
      await ann.page.getByRole('listbox').getByRole('option').filter({ hasText: '张三丰' }).waitFor()
      await composer(ann.page).fill('')
      test.world.alpha.gate.mend()
      await ann.page.getByText(/No connection/).first().waitFor({ state: 'detached', timeout: 60_000 })
      // Where something is forwarded.
      await act(ann.page, 'said for all', 'Forward')
      const forward = ann.page.getByRole('dialog', { name: 'Forward to' })
      await forward.getByRole('searchbox').fill('zsf')
      await forward.getByRole('checkbox', { name: '张三丰' }).check()
      await ann.page.keyboard.press('Escape')
      await forward.waitFor({ state: 'detached' })
      // Where a group is made.
      await ann.page.getByRole('button', { name: 'New conversation' }).first().click()
      await ann.page.getByRole('menuitem', { name: 'New group' }).click()
      const dialog = ann.page.getByRole('dialog')
      await dialog.getByLabel('People', { exact: true }).fill('zsf')
      await dialog.getByRole('list', { name: 'People found' }).getByText(ben.user).waitFor()
      await accessible(ann.page, 'choosing people')
      await dialog.getByLabel('People', { exact: true }).press('Enter')
      await dialog.getByRole('button', { name: /Take 张三丰 out/i }).waitFor()
    },
  },
  {
    name: 'one box finds people, groups and messages; a hit opens its place; traditional is found by simplified',
    async run(test) {
      const { ann, ben } = await group(test, '漢口 team')
      for (const text of ['before it', '我們在漢口見面，帶上 **漢口** 的圖', 'after it']) await say(ann.page, text)
      const cora = `cora${ben.name}`
      await test.world.alpha.account(cora)
      await talkTo(ann.page, `${cora}@alpha.test`)
      await say(ann.page, 'something else')
      await ann.page.keyboard.press('Control+k')
      await finder(ann.page).waitFor()
      // What was opened of late comes first, without what is open.
      assert.match(await hits(ann.page, 'Opened of late').first().innerText(), /漢口 team/)
      await accessible(ann.page, 'the search before anything is typed')
      await until(ann.page, '汉口', 'All', hits(ann.page, 'Messages'))
      assert.match(await hits(ann.page, 'Groups').first().innerText(), /漢口 team/)
      const hit = hits(ann.page, 'Messages').first()
      assert.deepEqual(await hit.locator('mark').allInnerTexts(), ['漢口', '漢口'], 'what was found is marked as it is written')
      await accessible(ann.page, 'the search')
      // By the keys: tabs, then the hit.
      await finder(ann.page).press('Tab') // the cross
      await ann.page.keyboard.press('Tab')
      await ann.page.keyboard.press('ArrowRight')
      await hits(ann.page, 'People').first().waitFor({ state: 'detached' })
      await ann.page.keyboard.press('ArrowRight')
      assert.match(await hits(ann.page, 'Groups').first().innerText(), /漢口 team/)
      await ann.page.keyboard.press('ArrowRight')
      await hits(ann.page, 'Messages').first().waitFor()
      await accessible(ann.page, 'the search for messages')
      await ann.page.keyboard.press('ArrowDown')
      await finder(ann.page).press('Enter')
      await box(ann.page).waitFor({ state: 'detached' })
      await message(ann.page, '我們在漢口見面').waitFor()
      await message(ann.page, 'before it').waitFor()
      await ann.page.waitForFunction(() => (CSS.highlights.get('startalk-found-now')?.size ?? 0) > 0)
      assert.deepEqual(await marked(ann.page), ['漢口', '漢口'])
      // People by their letters, and by Enter without waiting for anything.
      await look(ann.page, cora, 'All')
      await finder(ann.page).press('Enter')
      await message(ann.page, 'something else').waitFor()
      // Filters: mine only, of today, code.
      await look(ann.page, '汉口', 'Messages')
      await hits(ann.page, 'Messages').first().waitFor()
      await box(ann.page).getByLabel('Kind').selectOption({ label: 'Code' })
      await box(ann.page).getByText('Nothing found with these filters').waitFor()
      await box(ann.page).getByLabel('Kind').selectOption({ label: 'Any kind' })
      await hits(ann.page, 'Messages').first().waitFor()
      await box(ann.page).getByRole('button', { name: 'Date', exact: true }).click()
      await accessible(ann.page, 'choosing days')
      await ann.page.getByRole('dialog').getByLabel('To', { exact: true }).fill('2020-01-01')
      await ann.page.getByRole('button', { name: 'Apply' }).click()
      await box(ann.page).getByText('Nothing found with these filters').waitFor()
      await box(ann.page).getByRole('button', { name: /^Without this: Until/ }).click()
      await hits(ann.page, 'Messages').first().waitFor()
      await box(ann.page).getByRole('button', { name: 'From', exact: true }).click()
      const choose = ann.page.getByRole('dialog', { name: 'Whose messages?' })
      await choose.getByRole('combobox').fill(cora)
      await choose.getByRole('option').filter({ hasText: cora }).first().waitFor()
      await accessible(ann.page, 'choosing whose')
      await choose.getByRole('combobox').press('Enter')
      await choose.waitFor({ state: 'detached' })
      await box(ann.page).getByText('Nothing found with these filters').waitFor()
    },
  },
  {
    name: 'a hit far back opens with what stands around it',
    async run(test) {
      for (const name of ['finn', 'fred']) await test.world.alpha.account(name)
      await test.world.alpha.talk('finn', 'fred', 2500)
      const window = await Window.open(test.browser)
      test.windows.push(window)
      const page = await signIn(test.world.alpha, window, 'finn')
      await until(page, 'line 321', 'Messages', hits(page, 'Messages'))
      // More are there than a page has: they come as one goes down.
      const first = await hits(page, 'Messages').count()
      const of = await hits(page, 'Messages').first().innerText()
      assert.match(of, /fred/)
      await look(page, 'story', 'Messages')
      await hits(page, 'Messages').nth(25).waitFor()
      await box(page).getByRole('listbox').evaluate((list) => (list.scrollTop = list.scrollHeight))
      await hits(page, 'Messages').nth(50).waitFor()
      assert.ok(first >= 1)
      await look(page, 'line 321', 'Messages')
      await hits(page, 'Messages').filter({ hasText: /line 321$/ }).first().click()
      await message(page, /line 321(?!\d)/).waitFor()
      await message(page, /line 322(?!\d)/).waitFor()
      const seen = await message(page, /line 321(?!\d)/).evaluate((e) => { const { top, bottom } = e.getBoundingClientRect(); return top >= 0 && bottom <= innerHeight })
      assert.equal(seen, true, 'it is on the screen')
      await page.waitForFunction(() => (CSS.highlights.get('startalk-found-now')?.size ?? 0) > 0)
      assert.deepEqual((await marked(page)).sort(), ['321', 'line'])
    },
  },
  {
    name: 'the search has the keys at once: before its box was loaded, and after',
    async run(test) {
      // Nothing out of what the service worker keeps: the box is held up, and what is typed and entered meanwhile is done when it comes.
      const { ann, ben } = await pair(test, { serviceWorkers: 'block' })
      const keys = ann.page.keyboard
      let come
      const held = new Promise((done) => (come = done))
      const asked = ann.page.context().waitForEvent('request', (request) => request.url().includes('assets/Find-'))
      await ann.page.context().route(/assets\/Find-[^/]*\.js/, async (route) => { await held; await route.continue() })
      await ann.page.goto('https://alpha.test/')
      await row(ann.page, ben.name).waitFor()
      await keys.press('Control+k')
      await keys.type(ben.name)
      await keys.press('Enter')
      await keys.type('lost')
      await asked
      come()
      await composer(ann.page).waitFor()
      await finder(ann.page).waitFor({ state: 'detached' })
      assert.equal(await composer(ann.page).inputValue(), '')
      // It is here now: not even the very next key goes elsewhere.
      const taken = await ann.page.evaluate(() => {
        document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true, cancelable: true }))
        return document.activeElement.closest('dialog') !== null
      })
      assert.ok(taken, 'the field of the search has the focus before anything else is done')
      await keys.type(ben.name)
      await keys.press('Enter')
      await keys.type('right after it')
      await keys.press('Enter')
      await message(ben.page, 'right after it').waitFor()
    },
  },
  {
    name: 'in a conversation: from one to the next, by whom, marked as it is written, and as a list',
    async run(test) {
      const { ann, ben } = await pair(test)
      for (const text of ['the Blue one', 'nothing here', 'a blue two']) await say(ann.page, text)
      await say(ben.page, 'BLUE three')
      await message(ann.page, 'BLUE three').waitFor()
      await until(ann.page, 'blue three', 'Messages', hits(ann.page, 'Messages'))
      await ann.page.keyboard.press('Escape')
      // Right after loading its parts are not there yet: what is typed waits for them, and goes nowhere else.
      await ann.page.reload()
      await composer(ann.page).focus()
      await ann.page.keyboard.press('Control+k')
      await ann.page.keyboard.type('blue thr')
      await finder(ann.page).waitFor()
      assert.equal(await finder(ann.page).inputValue(), 'blue thr')
      await ann.page.keyboard.press('Escape')
      await finder(ann.page).waitFor({ state: 'hidden' })
      assert.equal(await composer(ann.page).inputValue(), '')
      assert.ok(await composer(ann.page).evaluate((field) => field === document.activeElement), 'the focus is back')
      await ann.page.keyboard.press('Control+f')
      // At once: what is typed before the search has come goes into it all the same, and not into the message.
      await ann.page.keyboard.type('blue')
      const field = here(ann.page).getByLabel('Search in this conversation')
      await here(ann.page).getByText('1 of 3').waitFor()
      await ann.page.waitForFunction(() => (CSS.highlights.get('startalk-found')?.size ?? 0) === 2)
      assert.deepEqual(await marked(ann.page), ['BLUE'])
      assert.deepEqual((await marked(ann.page, 'startalk-found')).sort(), ['Blue', 'blue'])
      await accessible(ann.page, 'searching in a conversation')
      await field.press('Enter')
      await here(ann.page).getByText('2 of 3').waitFor()
      assert.deepEqual(await marked(ann.page), ['blue'])
      await field.press('Shift+Enter')
      await here(ann.page).getByText('1 of 3').waitFor()
      await here(ann.page).getByRole('button', { name: 'From' }).click()
      await ann.page.getByRole('dialog', { name: 'Whose messages?' }).getByRole('option').filter({ hasText: ann.name }).click()
      await here(ann.page).getByText('1 of 2').waitFor()
      await here(ann.page).getByRole('button', { name: 'Show as a list' }).click()
      await hits(ann.page, 'Messages').nth(1).waitFor()
      assert.equal(await hits(ann.page, 'Messages').count(), 2)
      await ann.page.keyboard.press('Escape')
      await box(ann.page).waitFor({ state: 'detached' })
      await field.press('Escape')
      await here(ann.page).waitFor({ state: 'detached' })
      await ann.page.waitForFunction(() => (CSS.highlights.get('startalk-found')?.size ?? 0) === 0)
      await ann.page.waitForFunction(() => document.activeElement.tagName === 'TEXTAREA')
    },
  },
  {
    name: 'what was recalled is not found, nor what was said after one left',
    async run(test) {
      const { ann, ben } = await group(test, 'Leaving')
      await ben.page.getByRole('link', { name: /Requests/ }).first().click()
      await ben.page.getByRole('button', { name: /^(Accept|Join)/ }).first().click()
      await row(ben.page, 'Leaving').waitFor()
      await open(ben.page, 'Leaving')
      await say(ann.page, '会议在星期五')
      await say(ann.page, '密码写错了')
      await message(ben.page, '密码写错了').waitFor()
      await until(ben.page, '密码', 'Messages', hits(ben.page, 'Messages'))
      await ben.page.keyboard.press('Escape')
      await act(ann.page, '密码写错了', 'Recall')
      await ann.page.getByRole('dialog').getByRole('button', { name: 'Recall' }).click()
      await ben.page.getByText('recalled a message').first().waitFor()
      await nothing(ben.page, '密码')
      await ben.page.keyboard.press('Escape')
      await ben.page.getByRole('button', { name: 'Details' }).first().click()
      await ben.page.getByRole('button', { name: 'About the group' }).click()
      await ben.page.getByRole('region', { name: 'About the group' }).getByRole('button', { name: 'Leave the group' }).click()
      await ben.page.getByRole('dialog').getByRole('button', { name: /^Leave/ }).click()
      await composer(ben.page).waitFor({ state: 'detached' })
      await ann.page.getByText(`${ben.name} left`).first().waitFor()
      await say(ann.page, '星期五改到星期六')
      await until(ann.page, '星期六', 'Messages', hits(ann.page, 'Messages'))
      await ben.page.getByRole('button', { name: 'Search people, groups and messages' }).click()
      await until(ben.page, '星期五', 'Messages', hits(ben.page, 'Messages'))
      assert.equal(await hits(ben.page, 'Messages').count(), 1, 'only what was said while he was in it')
      await nothing(ben.page, '星期六')
    },
  },
  {
    name: 'without a connection the search is of what is here, and says so; on a phone it is the screen',
    async run(test) {
      const window = await Window.open(test.browser, { size: PHONE })
      test.windows.push(window)
      const page = await comeIn(test.world.alpha, window, 'phil')
      await test.world.alpha.account('paula')
      await talkTo(page, 'paula@alpha.test')
      await say(page, 'a word for Paula')
      await page.getByRole('button', { name: 'Back', exact: true }).click()
      await page.getByRole('button', { name: 'Search people, groups and messages' }).click()
      const { width, height } = await box(page).boundingBox()
      assert.deepEqual([width, height], [PHONE.width, PHONE.height], 'it fills the screen')
      await until(page, 'word for', 'All', hits(page, 'Messages'))
      await accessible(page, 'the search on a phone')
      test.world.alpha.gate.cut()
      await box(page).getByText(/^No connection/).waitFor()
      await look(page, 'paul', 'All')
      await hits(page, 'People').filter({ hasText: 'paula' }).waitFor()
      assert.equal(await hits(page, 'Messages').count(), 0)
      await box(page).getByRole('tab', { name: 'Messages' }).click()
      await box(page).getByText('Messages are searched by the server. There is no connection now.').waitFor()
      await accessible(page, 'the search without a connection')
      await finder(page).fill('word for')
      test.world.alpha.gate.mend()
      await hits(page, 'Messages').first().waitFor({ timeout: 60_000 })
      await hits(page, 'Messages').first().click()
      await message(page, 'a word for Paula').waitFor()
      assert.equal(user('paula', test.world.alpha), 'paula@alpha.test')
    },
  },
]
