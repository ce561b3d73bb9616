// What stays: every kind of message after both domains were made anew from their journals, on a device that has kept nothing;
// and voice messages in the form in which Safari records them.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { file, picture, video } from '../harness/media.mjs'
import { Window } from '../harness/person.mjs'
import { composer, message, messages, open, say, signIn } from '../harness/steps.mjs'
import { attach, choose, dialog, pictured, sendChosen, sheet } from './kinds.mjs'
import { pair } from './talk.mjs'

/** AAC in MP4: two seconds of one tone. */
const TONE = readFileSync(new URL('../harness/tone.m4a', import.meta.url))

async function speak(page, time) {
  await page.getByRole('button', { name: 'Record a voice message' }).click()
  const recorder = page.getByRole('group', { name: 'Recording a voice message' })
  await recorder.getByRole('timer').filter({ hasText: time }).waitFor()
  await recorder.getByRole('button', { name: 'Send', exact: true }).click()
  await recorder.waitFor({ state: 'detached' })
}
const voices = (page) => page.locator('article', { has: page.getByRole('slider') })
/** Plays it to its end. */
async function plays(page, voice) {
  await voice.getByRole('button', { name: /^Play the voice message/ }).click()
  await voice.getByRole('button', { name: 'Pause' }).waitFor()
  await voice.getByRole('button', { name: /^Play the voice message/ }).waitFor()
  assert.equal(await voice.getByText('This browser cannot play it').count(), 0)
}

export const lasting = [
  {
    name: 'every kind of message is as it was after both domains were rebuilt from their journals',
    async run(test) {
      const { alpha, beta } = test.world
      const { ann, ben } = await pair(test)
      const page = ann.page
      await say(page, 'some **words**')
      await choose(page, 'Pictures and videos', [picture('a.png', 800, 600, 10), picture('b.png', 300, 500, 90)])
      await sendChosen(page, 'an album')
      await choose(page, 'Pictures and videos', [await video(page)])
      await sheet(page).locator('video').waitFor()
      await sendChosen(page, 'a clip')
      await choose(page, 'Files', [file('plan.pdf', 30_000, 7)])
      await sendChosen(page)
      await speak(page, '0:01')
      await attach(page, 'A place')
      await page.getByLabel('Coordinates').fill('31.2304, 121.4737')
      await page.getByLabel('Name of the place').fill('the tower')
      await dialog(page).getByRole('button', { name: 'Send', exact: true }).click()
      await attach(page, 'Contact card')
      await dialog(page).getByRole('button', { name: new RegExp(ann.user) }).click()
      await attach(page, 'Code')
      await page.getByRole('textbox', { name: 'Code', exact: true }).fill('let x = 1')
      await dialog(page).getByRole('button', { name: 'Send', exact: true }).click()
      await attach(page, 'Shake their window')
      await message(ben.page, 'wants you to look').waitFor()

      await Promise.all([alpha, beta].map((node) => node.stop()))
      for (const node of [alpha, beta]) assert.ok((await node.ask('rebuild')).rebuilt > 0)
      await Promise.all([alpha, beta].map((node) => node.start()))

      for (const { node, name, other } of [{ node: alpha, name: ann.name, other: ben.name }, { node: beta, name: ben.name, other: ann.name }]) {
        const window = await Window.open(test.browser)
        test.windows.push(window)
        const fresh = await signIn(node, window, name)
        await open(fresh, other)
        await composer(fresh).waitFor()
        await message(fresh, 'wants you to look').waitFor()
        await message(fresh, 'let x = 1').waitFor()
        await messages(fresh).getByRole('button', { name: new RegExp(`${ann.user} Contact card`) }).waitFor()
        await message(fresh, 'the tower').getByRole('img', { name: /31\.23040° N/ }).waitFor()
        await plays(fresh, voices(fresh).first())
        await messages(fresh).getByRole('button', { name: /^Save plan\.pdf, 30 KB/ }).waitFor()
        await pictured(message(fresh, 'a clip'))
        await message(fresh, 'an album').scrollIntoViewIfNeeded()
        await pictured(message(fresh, 'an album'))
        assert.equal(await message(fresh, 'some words').locator('.bold').innerText(), 'words')
      }
    },
  },
  {
    name: 'a voice message in MP4 is played, as Chromium records it and as Safari does',
    async run(test) {
      const { ann, ben } = await pair(test)
      // A browser that records no WebM.
      await ann.window.context.addInitScript(() => {
        const known = MediaRecorder.isTypeSupported.bind(MediaRecorder)
        MediaRecorder.isTypeSupported = (type) => !type.includes('webm') && known(type)
      })
      await ann.page.reload()
      await speak(ann.page, '0:01')
      await voices(ben.page).first().waitFor()
      await plays(ben.page, voices(ben.page).first())
      // One that records AAC, which this one cannot: what it would have recorded is put in its place.
      await ann.window.context.addInitScript((base64) => {
        globalThis.MediaRecorder = class extends EventTarget {
          static isTypeSupported = (type) => type === 'audio/mp4;codecs=mp4a.40.2'
          state = 'inactive'
          mimeType = 'audio/mp4;codecs=mp4a.40.2'
          constructor(stream) { super(); this.stream = stream }
          start() { this.state = 'recording' }
          requestData() {}
          stop() {
            this.state = 'inactive'
            const data = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: this.mimeType })
            queueMicrotask(() => {
              for (const event of [Object.assign(new Event('dataavailable'), { data }), new Event('stop')]) {
                this[`on${event.type}`]?.(event)
                this.dispatchEvent(event)
              }
            })
          }
        }
      }, TONE.toString('base64'))
      await ann.page.reload()
      await speak(ann.page, '0:01')
      await voices(ben.page).nth(1).waitFor()
      await plays(ben.page, voices(ben.page).nth(1))
    },
  },
]
