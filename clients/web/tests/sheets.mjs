// Contact sheets: every screen of a lively scene (`scene/`), in three sizes, light, dark and with high contrast, in both
// languages, side by side in `clients/web/sheets`, for eyes.
//
// `npm run sheets -- <part of a screen's name> …`; `--all`: every combination, not the eight of `LOOKS`; `--few`: four of them; `--axe`: what axe
// finds serious is printed too; `--big`: the pictures in full size.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { accessible, DESKTOP, PHONE, Window } from './harness/person.mjs'
import { stage } from './scene/stage.mjs'
import { INSIDE, OFFLINE, OUTSIDE } from './scene/screens.mjs'

const out = join(dirname(fileURLToPath(import.meta.url)), '../sheets')
const SIZES = { desktop: DESKTOP, tablet: { width: 820, height: 1180 }, phone: PHONE }
const LANGUAGES = ['en', 'zh']
const THEMES = ['light', 'dark', 'contrast']
const LOOKS = [
  ['desktop', 'en', 'light'], ['desktop', 'zh', 'dark'], ['tablet', 'zh', 'light'], ['phone', 'en', 'dark'], ['phone', 'zh', 'light'],
  ['tablet', 'en', 'dark'], ['desktop', 'en', 'contrast'], ['phone', 'zh', 'contrast'],
]

/** How long something may take to be there, milliseconds. */
const PATIENCE_MS = 6000

export default async function sheets(programs) {
  mkdirSync(out, { recursive: true })
  const flags = new Set(process.argv.filter((word) => word.startsWith('--')))
  const wanted = process.argv.slice(2).filter((w) => !w.startsWith('--'))
  const chosen = (all) => Object.entries(all).filter(([name]) => wanted.length === 0 || wanted.some((w) => name.includes(w)))
  const looks = flags.has('--few') ? LOOKS.slice(0, 5).filter(([size]) => size !== 'tablet') : flags.has('--all') ? Object.keys(SIZES).flatMap((s) => LANGUAGES.flatMap((l) => THEMES.map((t) => [s, l, t]))) : LOOKS
  const found = []
  let made = 0
  const { world, scene, end } = await stage(programs)
  const browser = await world.browser()
  /** One sheet for each screen, written when it is whole. */
  const shoot = async (pages, screens, where) => {
    for (const [name, screen] of screens) {
      const shots = []
      for (const [size, language, theme] of looks) {
        const page = size === 'phone' ? pages.narrow : pages.wide
        const what = `${language} ${size} ${theme}`
        try {
          await dress(page, SIZES[size], language, theme)
          await show(page, screen, await where(screen))
          shots.push({ what, width: SIZES[size].width, png: await page.screenshot({ animations: 'disabled' }) })
          if (flags.has('--axe')) await accessible(page, `${name}, ${what}`)
        } catch (error) {
          found.push(`${name}, ${what}: ${error.message}`)
        }
      }
      if (shots.length) await sheet(browser, name, shots, flags.has('--big'))
      made += shots.length > 0 ? 1 : 0
    }
  }
  try {
    const origin = `https://${world.alpha.domain}`
    const [wide, narrow] = await Promise.all([Window.open(browser), Window.open(browser, { size: PHONE })])
    const pages = { wide: await wide.page(origin), narrow: await narrow.page(origin) }
    for (const page of Object.values(pages)) page.setDefaultTimeout(PATIENCE_MS)
    await shoot(pages, chosen(OUTSIDE), (screen) => screen.path(world))
    const [inside, offline] = [chosen(INSIDE), chosen(OFFLINE)]
    if (inside.length + offline.length > 0) {
      for (const page of Object.values(pages)) await enter(page, origin, scene)
      await scene.stir()
      for (const page of Object.values(pages)) await draft(page, origin, scene)
    }
    await shoot(pages, inside, (screen) => screen.path(scene.paths))
    if (offline.length) world.alpha.gate.cut()
    await shoot(pages, offline, (screen) => screen.path(scene.paths))
  } finally {
    await browser.close()
    await end()
  }
  console.log(`${made} contact sheets are in ${out}`)
  if (found.length) console.log(found.join('\n'))
  return found.length === 0
}

/** Lin signs in, as in any browser. */
export async function enter(page, origin, scene) {
  await page.goto(`${origin}/`)
  await page.locator('input[name=username]').fill('lin')
  await page.locator('input[type=password]').fill(scene.password)
  await page.locator('button[type=submit]').click()
  await page.locator('a[data-conversation]').nth(8).waitFor()
}

async function draft(page, origin, scene) {
  await page.goto(`${origin}${scene.paths.yuki}`)
  const area = page.locator('.composer textarea')
  await area.fill('Could you send me the prints before')
  await area.blur()
}

export async function dress(page, size, language, theme) {
  await page.setViewportSize(size)
  await page.emulateMedia({ colorScheme: theme === 'dark' ? 'dark' : 'light', contrast: theme === 'contrast' ? 'more' : 'no-preference', reducedMotion: 'reduce' })
  await page.evaluate((l) => localStorage.setItem('startalk.language', l), language)
}

/** Goes to a screen and waits until it stands still. */
export async function show(page, { then }, path) {
  await page.goto(new URL(path, page.url()).href)
  await page.locator(':is(h1, h2, main, [role=log]):visible').first().waitFor()
  if (path.startsWith('/c/')) await page.locator('[role=log] article').first().waitFor()
  await page.evaluate(() => document.fonts.ready.then(() => undefined))
  await page.mouse.move(2, 2)
  // What an earlier picture left in the field is not of this one.
  const area = page.locator('.composer textarea')
  if (then && (await area.count()) > 0) await area.fill('')
  await then?.(page)
  await page.waitForTimeout(250)
}

async function sheet(browser, name, all, big) {
  const scale = big ? 1 : 2
  const page = await browser.newPage({ viewport: { width: big ? 2700 : 2400, height: 1000 } })
  const one = ({ what, width, png }) =>
    `<figure style="width:${Math.round(width / scale)}px"><img width="100%" src="data:image/png;base64,${png.toString('base64')}"><figcaption>${what}</figcaption></figure>`
  await page.setContent(
    `<style>body{margin:16px;background:#8a8f9c;font:14px sans-serif;display:flex;flex-wrap:wrap;gap:16px;align-items:start}figure{margin:0}img{display:block}</style>${all.map(one).join('')}`,
  )
  writeFileSync(join(out, `${name.replace(/\W+/g, '-')}.png`), await page.screenshot({ fullPage: true }))
  await page.close()
}
