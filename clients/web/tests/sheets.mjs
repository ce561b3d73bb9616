// Contact sheets: every screen of a lively scene (`scene/`), in three sizes, light, dark and with high contrast, in both
// languages, side by side in `clients/web/sheets`, for eyes.
//
// `npm run sheets -- <part of a screen's name> …`; `--all`: every combination, not the eight of `LOOKS`; `--axe`: what axe
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

export default async function sheets(programs) {
  mkdirSync(out, { recursive: true })
  const flags = new Set(process.argv.filter((word) => word.startsWith('--')))
  const wanted = process.argv.slice(2).filter((w) => !w.startsWith('--'))
  const chosen = (all) => Object.entries(all).filter(([name]) => wanted.length === 0 || wanted.some((w) => name.includes(w)))
  const looks = flags.has('--all') ? Object.keys(SIZES).flatMap((s) => LANGUAGES.flatMap((l) => THEMES.map((t) => [s, l, t]))) : LOOKS
  const shots = new Map()
  const found = []
  const { world, scene, end } = await stage(programs)
  const browser = await world.browser()
  const shoot = async (window, screens, where) => {
    for (const [size, language, theme] of looks) {
      const page = await window(size)
      await dress(page, size, language, theme)
      for (const [name, screen] of screens) {
        try {
          await show(page, screen, await where(screen))
          const list = shots.get(name) ?? shots.set(name, []).get(name)
          list.push({ what: `${language} ${size} ${theme}`, viewport: SIZES[size], png: await page.screenshot({ animations: 'disabled' }) })
          if (flags.has('--axe')) await accessible(page, `${name}, ${size}, ${language}, ${theme}`)
        } catch (error) {
          found.push(`${name}, ${size}, ${language}, ${theme}: ${error.message}`)
        }
      }
    }
  }
  try {
    const origin = `https://${world.alpha.domain}`
    const outside = chosen(OUTSIDE)
    const [wide, narrow] = await Promise.all([Window.open(browser), Window.open(browser, { size: PHONE })])
    const pages = { wide: await wide.page(origin), narrow: await narrow.page(origin) }
    const of = async (size) => (size === 'phone' ? pages.narrow : pages.wide)
    if (outside.length) await shoot(of, outside, (screen) => screen.path(world))
    const inside = chosen(INSIDE)
    const offline = chosen(OFFLINE)
    if (inside.length + offline.length > 0) {
      for (const page of Object.values(pages)) await enter(page, origin, scene)
      await scene.stir()
      await draft(pages, origin, scene)
      await shoot(of, inside, (screen) => screen.path(scene.paths))
    }
    if (offline.length) {
      world.alpha.gate.cut()
      await shoot(of, offline, (screen) => screen.path(scene.paths))
    }
    for (const [name, all] of shots) await sheet(browser, name, all, flags.has('--big'))
  } finally {
    await browser.close()
    await end()
  }
  console.log(`${shots.size} contact sheets are in ${out}`)
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

async function draft(pages, origin, scene) {
  for (const page of Object.values(pages)) {
    await page.goto(`${origin}${scene.paths.yuki}`)
    const area = page.locator('.composer textarea')
    await area.fill('Could you send me the prints before')
    await area.blur()
  }
}

export async function dress(page, size, language, theme) {
  await page.setViewportSize(SIZES[size] ?? size)
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
  await then?.(page)
  await page.waitForTimeout(250)
}

async function sheet(browser, name, all, big) {
  const scale = big ? 1 : 2
  const page = await browser.newPage({ viewport: { width: big ? 2700 : 2400, height: 1000 } })
  const one = ({ what, viewport, png }) =>
    `<figure style="width:${Math.round(viewport.width / scale)}px"><img width="100%" src="data:image/png;base64,${png.toString('base64')}"><figcaption>${what}</figcaption></figure>`
  await page.setContent(
    `<style>body{margin:16px;background:#8a8f9c;font:14px sans-serif;display:flex;flex-wrap:wrap;gap:16px;align-items:start}figure{margin:0}img{display:block}</style>${all.map(one).join('')}`,
  )
  writeFileSync(join(out, `${name.replace(/\W+/g, '-')}.png`), await page.screenshot({ fullPage: true }))
  await page.close()
}
