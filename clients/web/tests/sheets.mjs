// Contact sheets: every screen, at three sizes, light and dark, in both languages, side by side in `clients/web/sheets`,
// for eyes. `npm run sheets`, or `npm run sheets -- <part of a screen's name>`.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DESKTOP, PHONE, TABLET, Window } from './harness/person.mjs'
import { composer, message, signUp, talkTo } from './harness/steps.mjs'

const out = join(dirname(fileURLToPath(import.meta.url)), '../sheets')
const SIZES = { desktop: DESKTOP, tablet: TABLET, phone: PHONE }

/** The screens of who is not signed in, and of who is: an address, and what is done there. */
const OUTSIDE = {
  'sign in': { path: '/' },
  invitation: { path: async (world) => `/join/${await world.alpha.invitation()}` },
}
const INSIDE = {
  list: { path: '/' },
  conversation: { path: (_, at) => at },
  'conversation details': { path: (_, at) => `${at}/details` },
  'go to a conversation': { path: '/', then: (page) => page.keyboard.press('Control+k') },
  keys: { path: '/', then: (page) => page.locator('body').press('?') },
  'new conversation': { path: '/', then: (page) => page.locator('[aria-haspopup=menu]').first().click() },
  requests: { path: '/requests' },
  ...Object.fromEntries(
    ['profile', 'security', 'appearance', 'notifications', 'blocked', 'invite', 'account', 'about'].map((s) => [`settings ${s}`, { path: `/settings/${s}` }]),
  ),
  settings: { path: '/settings' },
}

const SAID = [
  'Good morning! 早上好！',
  'A longer message, to see where lines break: the quick brown fox jumps over the lazy dog, again and again, until the line is full and the next one begins.',
  '较长的一条消息，用来看换行的位置：天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往，秋收冬藏。闰余成岁，律吕调阳。',
  '**bold**, *italic*, ~~struck~~ and `code`, with https://example.org/a/link',
  '- one\n- two\n- three',
  '> quoted before\nand an answer',
  '😀',
  'ok',
]

export default async function sheets(world) {
  mkdirSync(out, { recursive: true })
  const wanted = process.argv.slice(2).filter((w) => !w.startsWith('--'))
  const chosen = (all) => Object.entries(all).filter(([name]) => wanted.length === 0 || wanted.some((w) => name.includes(w)))
  const browser = await world.browser()
  const shots = new Map()
  try {
    const at = new Map()
    for (const language of ['en', 'zh']) {
      const outside = await Window.open(browser, { language })
      await shoot(await outside.page(), chosen(OUTSIDE), { world, shots, language })
      await outside.close()
      const window = await Window.open(browser, { language: 'en' })
      const page = await signUp(world.alpha, window, `eva${language}`)
      await furnish(page, `eva${language}@alpha.test`)
      at.set(language, new URL(page.url()).pathname)
      if (language === 'zh') await page.evaluate(() => localStorage.setItem('startalk.language', 'zh'))
      await page.reload()
      await shoot(page, chosen(INSIDE), { world, shots, language, at: at.get(language) })
      await window.close()
    }
    for (const [name, all] of shots) await sheet(browser, name, all)
  } finally {
    await browser.close()
  }
  console.log(`${shots.size} contact sheets are in ${out}`)
  return true
}

/** A conversation with something of everything, with oneself. */
async function furnish(page, me) {
  await talkTo(page, me)
  for (const text of SAID) {
    await composer(page).fill(text)
    await composer(page).press('Enter')
  }
  await message(page, SAID.at(-1).split('\n')[0]).waitFor()
}

async function shoot(page, screens, { world, shots, language, at }) {
  for (const [name, { path, then }] of screens) {
    const address = typeof path === 'function' ? await path(world, at) : path
    for (const [size, viewport] of Object.entries(SIZES)) {
      for (const colorScheme of ['light', 'dark']) {
        await page.setViewportSize(viewport)
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await page.goto(new URL(address, page.url()).href)
        await page.waitForLoadState('networkidle').catch(() => {})
        await page.evaluate(() => document.fonts.ready.then(() => undefined))
        await then?.(page)
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
        const list = shots.get(name) ?? shots.set(name, []).get(name)
        list.push({ what: `${language} ${size} ${colorScheme}`, viewport, png: await page.screenshot({ animations: 'disabled' }) })
      }
    }
  }
}

async function sheet(browser, name, all) {
  const page = await browser.newPage({ viewport: { width: 2400, height: 1000 } })
  const one = ({ what, viewport, png }) =>
    `<figure style="width:${Math.round(viewport.width / 2)}px"><img width="100%" src="data:image/png;base64,${png.toString('base64')}"><figcaption>${what}</figcaption></figure>`
  await page.setContent(
    `<style>body{margin:16px;background:#8a8f9c;font:14px sans-serif;display:flex;flex-wrap:wrap;gap:16px;align-items:start}figure{margin:0}img{display:block}</style>${all.map(one).join('')}`,
  )
  writeFileSync(join(out, `${name.replace(/\W+/g, '-')}.png`), await page.screenshot({ fullPage: true }))
  await page.close()
}
