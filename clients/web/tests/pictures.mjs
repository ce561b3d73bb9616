// The pictures in the documents: `npm run pictures`. A few screens of the scene, as WebP in docs/pictures, each under
// `BYTES_MAX`, or it is a failure.

import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PHONE, Window } from './harness/person.mjs'
import { stage } from './scene/stage.mjs'
import { dress, enter, show } from './sheets.mjs'

const out = join(dirname(fileURLToPath(import.meta.url)), '../../../docs/pictures')
const BYTES_MAX = 120_000
const PIXELS = 1.5
const DESK = { width: 1200, height: 750 }

const PICTURES = [
  { name: 'desktop', size: DESK, language: 'en', theme: 'light', at: (paths) => paths.launch },
  { name: 'desktop.zh-CN', size: DESK, language: 'zh', theme: 'light', at: (paths) => paths.weekly },
  { name: 'dark', size: DESK, language: 'en', theme: 'dark', at: (paths) => paths.ada },
  { name: 'dark.zh-CN', size: DESK, language: 'zh', theme: 'dark', at: (paths) => paths.weekly },
  { name: 'phone', size: PHONE, language: 'en', theme: 'light', at: (paths) => paths.launch },
  { name: 'phone.zh-CN', size: PHONE, language: 'zh', theme: 'light', at: () => '/' },
]

export default async function pictures(programs) {
  mkdirSync(out, { recursive: true })
  const { world, scene, end } = await stage(programs)
  const browser = await world.browser()
  let well = true
  try {
    const origin = `https://${world.alpha.domain}`
    const open = async (size) => {
      const window = await Window.open(browser, { size, deviceScaleFactor: size === PHONE ? 2 : PIXELS })
      const page = await window.page(origin)
      await enter(page, origin, scene)
      return page
    }
    const pages = new Map([[DESK, await open(DESK)], [PHONE, await open(PHONE)]])
    await scene.stir()
    for (const { name, size, language, theme, at } of PICTURES) {
      const page = pages.get(size)
      await dress(page, size, language, theme)
      await show(page, {}, at(scene.paths))
      const path = join(out, `${name}.webp`)
      writeFileSync(path, await webp(browser, await page.screenshot({ animations: 'disabled' })))
      const { size: bytes } = statSync(path)
      if (bytes > BYTES_MAX) well = false
      console.log(`  ${bytes > BYTES_MAX ? 'TOO LARGE ' : ''}${String(bytes).padStart(7)}  docs/pictures/${name}.webp`)
    }
  } finally {
    await browser.close()
    await end()
  }
  return well
}

/** The browser writes WebP itself. */
async function webp(browser, png) {
  const page = await browser.newPage()
  try {
    const text = await page.evaluate(async (data) => {
      const image = new Image()
      image.src = `data:image/png;base64,${data}`
      await image.decode()
      const canvas = Object.assign(document.createElement('canvas'), { width: image.naturalWidth, height: image.naturalHeight })
      canvas.getContext('2d').drawImage(image, 0, 0)
      return canvas.toDataURL('image/webp', 0.86).split(',')[1]
    }, png.toString('base64'))
    return Buffer.from(text, 'base64')
  } finally {
    await page.close()
  }
}
