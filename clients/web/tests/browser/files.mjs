// Files on their way and where they lie: cut, paused, taken back, pasted, dropped; looked at in full; found again.

import assert from 'node:assert/strict'
import { drop, file, picture } from '../harness/media.mjs'
import { accessible, Window } from '../harness/person.mjs'
import { act, composer, message, messages, open, say, signInAt, talkIsReady, talkTo } from '../harness/steps.mjs'
import { choose, dialog, pictured, sendChosen, sheet } from './kinds.mjs'
import { pair } from './talk.mjs'

/** Bytes a second that go out of a page; undefined: as fast as they can. */
async function outward(page, bytes) {
  // One session of a page for good: what another session of it has set goes on to hold, whatever a new one says.
  const session = await (throttles.get(page) ?? throttles.set(page, page.context().newCDPSession(page)).get(page))
  await session.send('Network.enable')
  await session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytes ?? -1 })
}
const throttles = new WeakMap()
/** Where each piece of an upload began that a page sent. */
function pieces(page) {
  const out = []
  page.on('request', (request) => { if (request.method() === 'PATCH') out.push(Number(request.headers()['upload-offset'])) })
  return out
}
const viewer = (page) => page.getByRole('dialog', { name: 'Pictures and videos in full' })
const saveButton = (page, name) => messages(page).getByRole('button', { name: new RegExp(`^Save ${name}`) })

export const files = [
  {
    name: 'an upload that is cut goes on where it was, and so does one of a page that was loaded anew',
    async run(test) {
      const { ann, ben } = await pair(test)
      const began = pieces(ann.page)
      await outward(ann.page, 400_000)
      await choose(ann.page, 'Files', [file('large.bin', 2_000_000, 3)])
      await sendChosen(ann.page)
      const going = ann.page.locator('.underway')
      await going.filter({ hasText: /[3-9]\d\d KB of 2 MB/ }).waitFor()
      test.world.alpha.gate.cut()
      await going.filter({ hasText: /Waiting for a connection|KB of 2 MB/ }).waitFor()
      test.world.alpha.gate.mend()
      await ann.page.waitForEvent('requestfinished', { predicate: () => began.some((at) => at > 0), timeout: 60_000 }).catch(() => undefined)
      assert.ok(began.some((at) => at > 0), `pieces began at ${began}`)
      await ann.page.reload()
      await composer(ann.page).waitFor()
      await outward(ann.page, undefined)
      await saveButton(ben.page, 'large.bin').waitFor({ timeout: 60_000 })
      await saveButton(ann.page, 'large.bin').waitFor()
      assert.equal(await saveButton(ben.page, 'large.bin').count(), 1)
      assert.equal(await ann.page.locator('.underway').count(), 0)
      assert.ok(began.filter((at) => at > 0).length >= 1, `pieces began at ${began}`)
      // The bytes are whole: nothing twice, nothing missing.
      const asked = ben.page.waitForEvent('download')
      await saveButton(ben.page, 'large.bin').click()
      const parts = []
      for await (const part of await (await asked).createReadStream()) parts.push(part)
      assert.ok(Buffer.concat(parts).equals(file('', 2_000_000, 3).buffer))
    },
  },
  {
    name: 'an upload is paused, stays so in a page loaded anew, goes on; another is not sent after all',
    async run(test) {
      const { ann, ben } = await pair(test)
      await outward(ann.page, 150_000)
      await choose(ann.page, 'Files', [file('paused.bin', 2_500_000, 5)])
      await sendChosen(ann.page)
      await choose(ann.page, 'Files', [file('unsent.bin', 2_500_000, 6)])
      await sendChosen(ann.page)
      const of = (name) => ann.page.locator('article', { hasText: name })
      await of('unsent.bin').getByRole('button', { name: 'Do not send it' }).click()
      await of('unsent.bin').waitFor({ state: 'detached' })
      await of('paused.bin').locator('.underway').filter({ hasText: /KB of/ }).waitFor()
      await of('paused.bin').getByRole('button', { name: 'Pause the upload' }).click()
      await of('paused.bin').getByText(/^Paused at/).waitFor()
      await accessible(ann.page, 'an upload that is paused')
      await ann.page.reload()
      await of('paused.bin').getByText(/^Paused at/).waitFor()
      await outward(ann.page, undefined)
      await of('paused.bin').getByRole('button', { name: 'Go on with the upload' }).click()
      await saveButton(ben.page, 'paused.bin').waitFor()
      assert.equal(await saveButton(ben.page, 'unsent.bin').count(), 0)
      assert.equal(await of('unsent.bin').count(), 0)
    },
  },
  {
    name: 'files are dropped on the conversation and pasted where one writes; a picture that is none goes as a file',
    async run(test) {
      const { ann, ben } = await pair(test)
      await drop(ann.page, 'main.conversation', [picture('dropped.png', 300, 300, 60), { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no picture at all') }])
      await sheet(ann.page).getByText('1 of them cannot be read as a picture').waitFor()
      await sendChosen(ann.page, 'dropped here')
      await pictured(message(ben.page, 'dropped here'))
      await saveButton(ben.page, 'broken.png').waitFor()
      await drop(ann.page, '.composer textarea', [picture('pasted.png', 300, 200, 160)], 'paste')
      await sheet(ann.page).locator('img').waitFor()
      await sheet(ann.page).getByRole('switch', { name: 'Send as files' }).click()
      await sendChosen(ann.page)
      await saveButton(ben.page, 'pasted.png').waitFor()
    },
  },
  {
    name: 'in full: neighbours, larger and smaller, the original, forwarding and the way back, by keys',
    async run(test) {
      const { ann, ben } = await pair(test)
      for (const [name, hue] of [['one', 10], ['two', 100], ['three', 200]]) {
        await choose(ann.page, 'Pictures and videos', [picture(`${name}.png`, 2400, 1600, hue)])
        await sheet(ann.page).locator('img').waitFor()
        await sendChosen(ann.page, `picture ${name}`)
        await pictured(message(ben.page, `picture ${name}`))
      }
      await message(ben.page, 'picture two').getByRole('button', { name: /^Picture/ }).click()
      const full = viewer(ben.page)
      await full.getByText('2 / 3').waitFor()
      const shown = full.locator('.lies img:not(.under)')
      await ben.page.waitForFunction(() => { const one = document.querySelector('dialog .lies img:not(.under)'); return one?.complete && one.naturalWidth > 0 })
      await accessible(ben.page, 'a picture in full')
      const wide = async () => Math.round((await full.locator('.lies').boundingBox()).width)
      const before = await wide()
      await ben.page.keyboard.press('+')
      await ben.page.waitForFunction((was) => document.querySelector('dialog .lies').getBoundingClientRect().width > was * 1.4, before)
      await ben.page.keyboard.press('0')
      await ben.page.waitForFunction((was) => Math.abs(document.querySelector('dialog .lies').getBoundingClientRect().width - was) < 2, before)
      await ben.page.keyboard.press('ArrowRight')
      await full.getByText('3 / 3').waitFor()
      await ben.page.keyboard.press('ArrowRight')
      await full.getByText('3 / 3').waitFor()
      await ben.page.keyboard.press('Home')
      await full.getByText('1 / 3').waitFor()
      assert.ok((await shown.getAttribute('src')).startsWith('/files/'))
      await ben.page.keyboard.press('f')
      await ben.page.getByRole('dialog', { name: 'Forward to…' }).waitFor()
      await ben.page.keyboard.press('Escape')
      await ben.page.getByRole('dialog', { name: 'Forward to…' }).waitFor({ state: 'detached' })
      await message(ben.page, 'picture two').getByRole('button', { name: /^Picture/ }).click()
      await full.waitFor()
      await ben.page.keyboard.press('Escape')
      await full.waitFor({ state: 'detached' })
      assert.equal(await ben.page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Picture. Open it in full')
    },
  },
  {
    name: 'what was taken back cannot be read any more, by its address either',
    async run(test) {
      const { ann, ben } = await pair(test)
      await choose(ann.page, 'Pictures and videos', [picture('secret.png', 500, 400, 77)])
      await sendChosen(ann.page, 'not for long')
      const theirs = message(ben.page, 'not for long')
      await pictured(theirs)
      const address = await theirs.locator('.picture img').getAttribute('src')
      const asked = () => ben.page.evaluate((path) => fetch(path, { credentials: 'same-origin', cache: 'no-store' }).then((answer) => answer.status), address)
      assert.equal(await asked(), 200)
      await act(ann.page, 'not for long', 'Recall')
      await dialog(ann.page).getByRole('button', { name: 'Recall' }).click()
      await ben.page.getByText('recalled a message').first().waitFor()
      assert.equal(await asked(), 404)
      assert.equal(await ben.page.evaluate(async (path) => (await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).match(path)))).filter(Boolean).length, address), 0, 'no cache of the page has it')
    },
  },
  {
    name: 'what a conversation holds is found by its kind, and leads to its message',
    async run(test) {
      const { ann, ben } = await pair(test)
      await choose(ann.page, 'Pictures and videos', [picture('x.png', 300, 300, 5), picture('y.png', 300, 300, 6)])
      await sheet(ann.page).locator('li').nth(1).waitFor()
      await sendChosen(ann.page, 'two pictures')
      await choose(ann.page, 'Files', [file('found again.txt', 2000, 8)])
      await sendChosen(ann.page)
      await say(ann.page, 'see https://example.org/paper')
      await message(ben.page, 'https://example.org/paper').waitFor()
      await pictured(message(ben.page, 'two pictures'))
      await saveButton(ben.page, 'found again.txt').waitFor()
      await ben.page.getByRole('button', { name: 'Details', exact: true }).last().click()
      await ben.page.getByRole('button', { name: 'Files and pictures' }).click()
      const panel = ben.page.getByRole('dialog', { name: 'Files, pictures and links' })
      await panel.getByRole('button', { name: /^Picture by/ }).nth(1).waitFor()
      await pictured(panel)
      await accessible(ben.page, 'pictures of a conversation')
      await panel.getByRole('button', { name: /^Picture by/ }).first().click()
      await viewer(ben.page).getByText('1 / 2').waitFor()
      await ben.page.keyboard.press('Escape')
      await panel.getByRole('tab', { name: 'Voice' }).click()
      await panel.getByText('No voice messages yet').waitFor()
      await panel.getByRole('tab', { name: 'Links' }).click()
      await panel.getByRole('link', { name: 'https://example.org/paper' }).waitFor()
      await panel.getByRole('tab', { name: 'Files' }).click()
      await panel.getByRole('button', { name: /^Save found again\.txt/ }).waitFor()
      await accessible(ben.page, 'files of a conversation')
      await panel.getByRole('button', { name: 'Show in the conversation' }).click()
      await panel.waitFor({ state: 'detached' })
      await ben.page.locator('article.flash', { hasText: 'found again' }).waitFor()
    },
  },
  {
    name: 'an account of another server has its pictures on the page of this one',
    async run(test) {
      const { ann, ben } = await pair(test)
      await choose(ann.page, 'Pictures and videos', [picture('abroad.png', 320, 240, 120)])
      await sendChosen(ann.page, 'seen abroad')
      await message(ben.page, 'seen abroad').waitFor()
      test.world.beta.passwords.set(ben.user, test.world.beta.passwords.get(ben.name))
      const elsewhere = await Window.open(test.browser)
      test.windows.push(elsewhere)
      const page = await elsewhere.page('https://alpha.test/')
      await signInAt(page, test.world.beta, ben.user)
      await talkIsReady(page)
      await open(page, ann.name)
      const theirs = message(page, 'seen abroad')
      await pictured(theirs)
      assert.match(await theirs.locator('.picture img').getAttribute('src'), /^blob:https:\/\/alpha\.test\//)
      await choose(page, 'Pictures and videos', [picture('back.png', 200, 200, 3)])
      await sendChosen(page, 'and back')
      await pictured(message(ann.page, 'and back'))
    },
  },
  {
    name: 'the conversation with oneself is at hand, for files from one device to another',
    async run(test) {
      const { ann } = await pair(test)
      await ann.page.getByRole('button', { name: 'New conversation' }).click()
      await ann.page.getByRole('menuitem', { name: 'File transfer' }).click()
      await ann.page.getByRole('main', { name: 'Conversation with File transfer' }).waitFor()
      await choose(ann.page, 'Files', [file('to my phone.bin', 900, 2)])
      await sendChosen(ann.page)
      await saveButton(ann.page, 'to my phone.bin').waitFor()
      const phone = await Window.open(test.browser, { size: { width: 390, height: 844 } })
      test.windows.push(phone)
      const page = await phone.page('https://alpha.test/')
      await signInAt(page, test.world.alpha, ann.name)
      await talkTo(page, ann.user).catch(() => page.getByRole('navigation', { name: 'Conversations' }).getByRole('link').filter({ hasText: 'File transfer' }).click())
      await saveButton(page, 'to my phone.bin').waitFor()
      await accessible(page, 'the conversation with oneself on a phone')
    },
  },
]
