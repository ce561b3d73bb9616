// Every kind of message, sent by one and seen by another on another domain.

import assert from 'node:assert/strict'
import { drop, file, picture, video } from '../harness/media.mjs'
import { accessible } from '../harness/person.mjs'
import { composer, messages } from '../harness/steps.mjs'
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
  await sheet(page).getByRole('button', { name: /^Send/ }).click()
  await sheet(page).waitFor({ state: 'detached' })
}
export const last = (page) => messages(page).last()
/** All pictures of a message have come. */
export async function pictured(message) {
  await message.locator('.picture.there').first().waitFor()
  await message.page().waitForFunction((element) => [...element.querySelectorAll('.picture')].every((one) => one.classList.contains('there') && one.querySelector('img')?.naturalWidth > 0), await message.elementHandle())
}

export const kinds = [
  {
    name: 'pictures as an album, a video, a file and a sticker-less row of others are sent and seen on the other domain',
    async run(test) {
      const { ann, ben } = await pair(test)
      await choose(ann.page, 'Pictures and videos', [picture('a.png', 800, 600, 10), picture('b.png', 300, 500, 90), picture('c.png', 900, 300, 170)])
      await sheet(ann.page).locator('li').nth(2).waitFor()
      await accessible(ann.page, 'what is about to be sent')
      await sendChosen(ann.page, 'from the **coast**')
      const theirs = messages(ben.page).filter({ hasText: 'from the coast' })
      await theirs.waitFor()
      assert.equal(await theirs.getByRole('button', { name: /^Picture \d of 3/ }).count(), 3)
      await pictured(theirs)
      await pictured(messages(ann.page).filter({ hasText: 'from the coast' }))

      await choose(ann.page, 'Files', [file('report final.pdf', 30_000)])
      await sendChosen(ann.page)
      await messages(ben.page).getByRole('button', { name: /^Save report final\.pdf/ }).waitFor()
      await accessible(ben.page, 'a conversation with pictures and files')
    },
  },
]
