// Every kind of message, sent by one and seen by another on another domain.

import assert from 'node:assert/strict'
import { file, picture, video } from '../harness/media.mjs'
import { accessible } from '../harness/person.mjs'
import { act, composer, message, messages, say } from '../harness/steps.mjs'
import { pair } from './talk.mjs'

/** What the menu beside the composer offers. */
export async function attach(page, name) {
  await page.getByRole('button', { name: 'Attach', exact: true }).click()
  await page.getByRole('menuitem', { name, exact: true }).click()
}
export async function choose(page, name, files) {
  const asked = page.waitForEvent('filechooser')
  await attach(page, name)
  await (await asked).setFiles(files)
}
export const sheet = (page) => page.getByRole('dialog', { name: /^Send to/ })
/** Sends what was chosen; `words`: below it. */
export async function sendChosen(page, words = '') {
  if (words) await sheet(page).getByRole('textbox', { name: 'Add words' }).fill(words)
  await sheet(page).getByRole('button', { name: /^Send \d|^Send,/ }).click()
  await sheet(page).waitFor({ state: 'detached' })
}
export const dialog = (page) => page.getByRole('dialog')
/** All pictures in it have come. */
export async function pictured(inside) {
  await inside.locator('.picture.there').first().waitFor()
  const element = await inside.elementHandle()
  await inside.page().waitForFunction((it) => [...it.querySelectorAll('.picture')].every((one) => one.classList.contains('there') && one.querySelector('img')?.naturalWidth > 0), element)
}
/** How high and wide a message is. */
const sizeOf = async (one) => { const { width, height } = await one.boundingBox(); return [Math.round(width), Math.round(height)] }

export const kinds = [
  {
    name: 'pictures go as an album in the order that was chosen, and their place is there before they are',
    async run(test) {
      const { ann, ben } = await pair(test)
      await choose(ann.page, 'Pictures and videos', [picture('a.png', 800, 600, 10), picture('b.png', 300, 500, 90), picture('c.png', 900, 300, 170), picture('d.png', 90, 90, 250)])
      const items = sheet(ann.page).getByRole('list', { name: 'What is sent' }).getByRole('listitem')
      await items.nth(3).waitFor()
      await accessible(ann.page, 'what is about to be sent')
      // The last is taken away; the third comes before the second, by keys.
      await items.nth(3).focus()
      await ann.page.keyboard.press('Delete')
      await items.nth(2).focus()
      await ann.page.keyboard.press('Alt+ArrowLeft')
      assert.match(await items.nth(1).getAttribute('aria-label'), /^c\.png/)
      // The pictures themselves are held back at the reader's: their place must be there without them.
      let let_through
      const held = new Promise((go) => (let_through = go))
      await ben.page.route('**/files/**', async (route) => { await held; await route.continue() })
      await sendChosen(ann.page, 'from the **coast**')
      const theirs = message(ben.page, 'from the coast')
      await theirs.locator('.picture').nth(2).waitFor()
      const before = await sizeOf(theirs)
      let_through()
      await pictured(theirs)
      assert.deepEqual(await sizeOf(theirs), before, 'nothing moves when the pictures come')
      assert.equal(await theirs.getByRole('button', { name: /^Picture \d of 3/ }).count(), 3)
      const widths = await theirs.locator('.picture img').evaluateAll((all) => all.map((one) => one.naturalWidth / one.naturalHeight))
      assert.deepEqual(widths.map((one) => one.toFixed(1)), ['1.3', '3.0', '0.6'])
      assert.equal(await theirs.locator('.bold').innerText(), 'coast')
      await accessible(ben.page, 'an album')
    },
  },
  {
    name: 'a video goes with a picture out of it and its length, and plays in full',
    async run(test) {
      const { ann, ben } = await pair(test)
      await choose(ann.page, 'Pictures and videos', [await video(ann.page)])
      await sheet(ann.page).locator('video').waitFor()
      await sendChosen(ann.page, 'a clip')
      const theirs = message(ben.page, 'a clip')
      await pictured(theirs)
      await theirs.getByRole('button', { name: /^Play the video, 0:0[12]/ }).click()
      const player = ben.page.getByRole('dialog', { name: 'Pictures and videos in full' }).locator('video')
      await player.waitFor()
      await ben.page.waitForFunction((it) => it.currentTime > 0 && it.videoWidth === 320, await player.elementHandle())
      await accessible(ben.page, 'a video in full')
      await ben.page.keyboard.press('Escape')
      await player.waitFor({ state: 'detached' })
    },
  },
  {
    name: 'a file goes under its name and comes back byte by byte',
    async run(test) {
      const { ann, ben } = await pair(test)
      const sent = file('报告 final.v2.pdf', 300_000, 7)
      await choose(ann.page, 'Files', [sent])
      await sendChosen(ann.page)
      const button = messages(ben.page).getByRole('button', { name: /^Save 报告 final\.v2\.pdf, 300 KB/ })
      const asked = ben.page.waitForEvent('download')
      await button.click()
      const came = await asked
      assert.equal(came.suggestedFilename(), '报告 final.v2.pdf')
      const parts = []
      for await (const part of await came.createReadStream()) parts.push(part)
      assert.ok(Buffer.concat(parts).equals(sent.buffer), 'the same bytes')
      assert.equal(await messages(ben.page).locator('img[src*="/files/"]').count(), 0)
    },
  },
  {
    name: 'a spoken message is recorded, heard on the other domain, and marked as heard',
    async run(test) {
      const { ann, ben } = await pair(test)
      for (let n = 0; n < 2; n++) {
        await ann.page.getByRole('button', { name: 'Record a voice message' }).click()
        const recorder = ann.page.getByRole('group', { name: 'Recording a voice message' })
        await recorder.getByRole('timer').filter({ hasText: '0:02' }).waitFor()
        if (n === 0) await accessible(ann.page, 'recording')
        await recorder.getByRole('button', { name: 'Send', exact: true }).click()
        await recorder.waitFor({ state: 'detached' })
      }
      // One that is thrown away is not sent.
      await ann.page.getByRole('button', { name: 'Record a voice message' }).click()
      await ann.page.getByRole('group', { name: 'Recording a voice message' }).getByRole('timer').filter({ hasText: '0:01' }).waitFor()
      await ann.page.keyboard.press('Escape')
      const voices = ben.page.locator('article', { has: ben.page.getByRole('slider') })
      await voices.nth(1).waitFor()
      assert.equal(await voices.count(), 2)
      const bars = await voices.first().locator('.wave i').evaluateAll((all) => all.map((one) => one.style.height))
      assert.ok(new Set(bars).size > 3, 'the beeps of the microphone are seen')
      assert.equal(await ben.page.getByText('Not heard yet').count(), 2)
      await voices.first().getByRole('button', { name: /^Play the voice message/ }).click()
      await voices.first().getByRole('button', { name: 'Pause' }).waitFor()
      await ben.page.getByRole('button', { name: 'Speed 1×' }).click()
      await ben.page.getByRole('button', { name: 'Speed 1.5×' }).first().waitFor()
      // The next one that was not heard follows by itself.
      await voices.nth(1).getByRole('button', { name: 'Pause' }).waitFor()
      await ben.page.waitForFunction(() => !document.body.innerText.includes('Not heard yet') && document.querySelectorAll('.dot[title="Not heard yet"]').length === 0)
      await accessible(ben.page, 'voice messages')
      await ben.page.reload()
      await voices.nth(1).waitFor()
      assert.equal(await ben.page.getByText('Not heard yet').count(), 0)
    },
  },
  {
    name: 'a place, a card, code and a shake are what they are on the other domain',
    async run(test) {
      const { ann, ben } = await pair(test)
      await attach(ann.page, 'A place')
      await ann.page.getByLabel('Coordinates').fill('95, 10')
      await dialog(ann.page).getByRole('button', { name: 'Send', exact: true }).click()
      await ann.page.getByText('Expected are two numbers').waitFor()
      await ann.page.getByLabel('Coordinates').fill('31.2304, 121.4737')
      await ann.page.getByLabel('Name of the place').fill('外滩')
      await accessible(ann.page, 'a place to be sent')
      await dialog(ann.page).getByRole('button', { name: 'Send', exact: true }).click()
      const place = message(ben.page, '外滩')
      await place.getByRole('img', { name: /31\.23040° N, 121\.47370° E/ }).waitFor()
      const map = place.getByRole('link', { name: 'Show on OpenStreetMap' })
      assert.match(await map.getAttribute('href'), /^https:\/\/www\.openstreetmap\.org\/\?mlat=31\.2304&mlon=121\.4737/)
      assert.equal(await map.getAttribute('target'), '_blank')

      await attach(ann.page, 'Contact card')
      await dialog(ann.page).getByRole('button', { name: new RegExp(ann.user) }).click()
      const card = messages(ben.page).getByRole('button', { name: new RegExp(`${ann.user} Contact card`) })
      await card.click()
      await dialog(ben.page).getByText(ann.user).first().waitFor()
      await ben.page.keyboard.press('Escape')

      await attach(ann.page, 'Code')
      await ann.page.getByLabel('Language').fill('rust')
      await ann.page.getByRole('textbox', { name: 'Code', exact: true }).fill('fn main() {\n    // who\n    println!("hello");\n}\n')
      await accessible(ann.page, 'code to be sent')
      await dialog(ann.page).getByRole('button', { name: 'Send', exact: true }).click()
      const code = message(ben.page, 'println!')
      await code.locator('.comment').filter({ hasText: '// who' }).waitFor()
      await code.getByRole('button', { name: 'Show in full' }).click()
      const full = dialog(ben.page)
      await full.locator('.number[data-number="4"]').waitFor()
      assert.equal(await full.locator('.line').nth(1).innerText(), '    // who')
      await accessible(ben.page, 'code in full')
      await ben.page.keyboard.press('Escape')

      await attach(ann.page, 'Shake their window')
      await message(ben.page, 'wants you to look').waitFor()
      await accessible(ben.page, 'all these kinds')
    },
  },
  {
    name: 'several messages are forwarded as one record, with what is in them, and one record in another',
    async run(test) {
      const { ann, ben } = await pair(test)
      await choose(ann.page, 'Pictures and videos', [picture('kept.png', 400, 300, 33)])
      await sendChosen(ann.page, 'a picture to keep')
      await message(ben.page, 'a picture to keep').waitFor()
      await say(ben.page, 'and some words')
      await message(ann.page, 'and some words').waitFor()
      const merge = async (texts) => {
        await act(ann.page, texts[0], 'Select')
        for (const text of texts.slice(1)) await message(ann.page, text).last().getByRole('checkbox').click()
        await ann.page.getByRole('button', { name: 'Forward', exact: true }).click()
        await dialog(ann.page).getByLabel('As one record').check()
        await dialog(ann.page).getByRole('checkbox', { name: /ben/ }).check()
        await dialog(ann.page).getByRole('button', { name: /^Forward/ }).click()
      }
      await merge(['a picture to keep', 'and some words'])
      const records = ben.page.getByRole('button', { name: /forwarded messages/ })
      await records.first().waitFor()
      await ann.page.getByRole('button', { name: /forwarded messages/ }).first().waitFor()
      await merge(['a first answer', 'Chat of'])
      await records.nth(1).waitFor()
      await records.nth(1).click()
      const view = dialog(ben.page).first()
      await view.getByText('a first answer').waitFor()
      await view.getByRole('button', { name: /forwarded messages/ }).click()
      await pictured(view)
      await view.getByText('and some words').waitFor()
      await accessible(ben.page, 'a record in a record')
      // Back, and out.
      await ben.page.keyboard.press('Escape')
      await view.getByText('a first answer').waitFor()
      await ben.page.keyboard.press('Escape')
      await view.waitFor({ state: 'detached' })
    },
  },
  {
    name: 'what is too long for a message becomes a file, and says so',
    async run(test) {
      const { ann, ben } = await pair(test)
      await composer(ann.page).fill('长'.repeat(30_000))
      await ann.page.getByText('This is too long for one message.').waitFor()
      await composer(ann.page).press('Enter')
      await sendChosen(ann.page)
      await messages(ben.page).getByRole('button', { name: /^Save text\.txt, 90 KB/ }).waitFor()
      assert.equal(await composer(ann.page).inputValue(), '')
    },
  },
]
