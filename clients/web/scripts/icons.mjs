// Draws public/icons/*.png from star.svg with a Chromium that is there. Run by hand when the mark changes; the results are
// checked in, for a build has no browser.

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const icons = join(dirname(fileURLToPath(import.meta.url)), '../public/icons')
const star = readFileSync(join(icons, 'star.svg'), 'utf8')
// A launcher cuts a circle or any other shape out of a maskable icon: the ground goes to the edges, the star is inside.
const maskable = star.replace('rx="116"', '').replace(/(<path )/g, '$1transform="translate(51 51) scale(.8)" ')

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
for (const [name, size, svg] of [['star-192', 192, star], ['star-512', 512, star], ['star-maskable-512', 512, maskable]]) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${svg}`)
  await page.screenshot({ path: join(icons, `${name}.png`), omitBackground: true })
}
await browser.close()
