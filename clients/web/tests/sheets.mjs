// Contact sheets: every screen, at three sizes, light and dark, in both languages, side by side in `clients/web/sheets`,
// for eyes. `npm run sheets`, or `npm run sheets -- <part of a screen's name>`.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DESKTOP, PHONE, TABLET, Window } from './harness/person.mjs'
import { furnish, INSIDE, OUTSIDE, show } from './harness/screens.mjs'
import * as steps from './harness/steps.mjs'

const out = join(dirname(fileURLToPath(import.meta.url)), '../sheets')
const SIZES = { desktop: DESKTOP, tablet: TABLET, phone: PHONE }

export default async function sheets(world) {
  mkdirSync(out, { recursive: true })
  const wanted = process.argv.slice(2).filter((w) => !w.startsWith('--'))
  const chosen = (all) => Object.entries(all).filter(([name]) => wanted.length === 0 || wanted.some((w) => name.includes(w)))
  const browser = await world.browser()
  const shots = new Map()
  try {
    const window = await Window.open(browser)
    await shoot(await window.page(), chosen(OUTSIDE), { world, shots, at: '/' })
    const page = await steps.comeIn(world.alpha, window, 'eva')
    const at = await furnish(page, steps, 'eva@alpha.test')
    await shoot(page, chosen(INSIDE), { world, shots, at })
    for (const [name, all] of shots) await sheet(browser, name, all)
  } finally {
    await browser.close()
  }
  console.log(`${shots.size} contact sheets are in ${out}`)
  return true
}

async function shoot(page, screens, { world, shots, at }) {
  for (const language of ['en', 'zh']) {
    await page.evaluate((l) => localStorage.setItem('startalk.language', l), language)
    for (const [name, screen] of screens) {
      for (const [size, viewport] of Object.entries(SIZES)) {
        for (const colorScheme of ['light', 'dark']) {
          await page.setViewportSize(viewport)
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
          await show(page, screen, world, at)
          const list = shots.get(name) ?? shots.set(name, []).get(name)
          list.push({ what: `${language} ${size} ${colorScheme}`, viewport, png: await page.screenshot({ animations: 'disabled' }) })
        }
      }
    }
  }
  await page.evaluate(() => localStorage.setItem('startalk.language', 'en'))
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
