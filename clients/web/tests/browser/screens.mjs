// axe looks at every screen, light and dark, in both languages, on a desktop and on a phone.

import assert from 'node:assert/strict'
import { accessible, DESKTOP, PHONE, Window } from '../harness/person.mjs'
import { furnish, INSIDE, OUTSIDE, show } from '../harness/screens.mjs'
import * as steps from '../harness/steps.mjs'

const language = async (page, which) => page.evaluate((l) => localStorage.setItem('startalk.language', l), which)

async function look(test, page, screens, at, looks) {
  const found = []
  for (const [size, colorScheme, tongue] of looks) {
    await page.setViewportSize(size)
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await language(page, tongue)
    for (const [name, screen] of Object.entries(screens)) {
      await show(page, screen, test.world, at)
      await accessible(page, `${name}, ${size.width} px, ${colorScheme}, ${tongue}`).catch((error) => found.push(error.message))
    }
  }
  // All at once, so that one run says all that is to be mended.
  if (found.length) throw new Error(found.join('\n'))
}

/** What of a page's words is not Chinese and no name, number or key: English that nobody translated, or a word's key. */
function foreign(known) {
  const out = new Set()
  const look = (text) => {
    let bare = text
    for (const name of known) bare = bare.replaceAll(name, ' ')
    for (const word of bare.match(/\p{Script=Latin}[\p{Script=Latin}\d.'’-]+/gu) ?? []) out.add(word)
  }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT)
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node
    // What people wrote and names themselves are theirs; keys and other languages' names say so.
    if (element.closest('article .bubble, .preview, [lang="en"], kbd, code, script, style, noscript') || element.getClientRects().length === 0) continue
    if (node.nodeType === Node.TEXT_NODE) look(node.data)
    else for (const name of ['aria-label', 'title', 'placeholder', 'alt']) if (node.hasAttribute(name)) look(node.getAttribute(name))
  }
  return [...out]
}
/** Names that are the same in every language. */
const NAMES = ['name@domain', 'ann@', 'Chrome on Linux', 'Chromium on Linux', 'HeadlessChrome on Linux', 'MIT', 'Apache-2.0', 'alpha.test', 'beta.test', 'Startalk', 'English', 'Chrome', 'Chromium', 'Linux', 'HeadlessChrome', 'Enter', 'Shift', 'Ctrl', 'Esc', 'Alt', 'name@', 'spam.example', 'JavaScript', 'QR']

export const screens = [
  {
    name: 'every screen in Chinese says nothing in English but names, and no key of a word',
    async run(test) {
      const window = await Window.open(test.browser, { size: DESKTOP })
      test.windows.push(window)
      const page = await window.page()
      const found = []
      const walk = async (all, at, known) => {
        await language(page, 'zh')
        for (const [name, screen] of Object.entries(all)) {
          await show(page, screen, test.world, at)
          assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN')
          assert.ok(await page.evaluate(() => /[\u4e00-\u9fff]/.test(document.body.innerText)), `${name} says something`)
          found.push(...(await page.evaluate(`(${foreign})(${JSON.stringify(known)})`)).map((word) => `${name}: ${word}`))
        }
      }
      await walk(OUTSIDE, '/', NAMES)
      await language(page, 'en')
      await page.goto('https://alpha.test/')
      await test.world.alpha.account('zhongwen')
      await steps.signInAt(page, test.world.alpha, 'zhongwen')
      const at = await furnish(page, steps, 'zhongwen@alpha.test')
      await walk(INSIDE, at, [...NAMES, 'zhongwen'])
      assert.deepEqual(found, [])
    },
  },
  {
    name: 'axe finds nothing serious on any screen: the ways in',
    async run(test) {
      const window = await Window.open(test.browser)
      test.windows.push(window)
      await look(test, await window.page(), OUTSIDE, '/', [[DESKTOP, 'light', 'en'], [PHONE, 'dark', 'zh']])
    },
  },
  {
    name: 'axe finds nothing serious on any screen: signed in',
    async run(test) {
      const window = await Window.open(test.browser)
      test.windows.push(window)
      const page = await steps.comeIn(test.world.alpha, window, 'axel')
      const at = await furnish(page, steps, 'axel@alpha.test')
      await look(test, page, INSIDE, at, [[DESKTOP, 'light', 'en'], [DESKTOP, 'dark', 'zh'], [PHONE, 'light', 'zh'], [PHONE, 'dark', 'en']])
    },
  },
]
