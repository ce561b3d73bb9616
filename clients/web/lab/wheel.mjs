// A fast wheel through the lab's rows, looked at after each frame: what was seen before has to move by what was turned, or by
// a multiple of it. `npx vite --port 5199 & node lab/wheel.mjs [px a turn] [turns] [guessed px] [highest px]`
// Looks after the frame, not in requestAnimationFrame: there rows that just came have not been measured yet.

import { chromium } from 'playwright-core'

const [turn = 400, turns = 800, guessed = 60, highest = 213] = process.argv.slice(2).map(Number)
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const page = await browser.newPage({ viewport: { width: 800, height: 800 } })
page.on('pageerror', (error) => console.log(error.message))
await page.goto('http://localhost:5199/lab/')
await page.waitForFunction(() => globalThis.lab)
await page.evaluate(([guess, low]) => { lab.low(low); lab.guess(guess); lab.fill(0, 2000); lab.auto(true) }, [guessed, highest])
await page.locator('[data-n="0"], [data-n]').first().waitFor()
await page.evaluate(() => lab.api().toEnd())
await page.evaluate(() => {
  const list = document.querySelector('[role=log]')
  globalThis.frames = []
  const look = () => {
    const box = list.getBoundingClientRect()
    const seen = [...list.querySelectorAll('[data-n]')].map((row) => [row.dataset.n, row.getBoundingClientRect()])
    globalThis.frames.push(Object.fromEntries(seen.filter(([, at]) => at.bottom > box.top && at.top < box.bottom).map(([n, at]) => [n, at.top])))
    if (!globalThis.enough) next()
  }
  const next = () => requestAnimationFrame(() => {
    const after = new MessageChannel()
    after.port1.onmessage = look
    after.port2.postMessage(0)
  })
  next()
})
await page.mouse.move(300, 300)
for (let n = 0; n < turns; n++) await page.mouse.wheel(0, -turn)
const frames = await page.evaluate(() => { globalThis.enough = true; return globalThis.frames })
await browser.close()

let [compared, wrong, worst] = [0, 0, 0]
for (let i = 1; i < frames.length; i++) {
  const moved = Object.keys(frames[i]).filter((n) => n in frames[i - 1]).map((n) => frames[i][n] - frames[i - 1][n])
  if (moved.length === 0) continue
  compared += 1
  const off = Math.max(...moved.map((px) => Math.abs(px - Math.round(px / turn) * turn)))
  if (off > 2) wrong += 1
  worst = Math.max(worst, off)
}
console.log(JSON.stringify({ frames: frames.length, compared, wrong, worst_px: Math.round(worst) }))
