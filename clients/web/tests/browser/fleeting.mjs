// What burns, stickers, what was listened to, and cards of links, between two domains.

import assert from 'node:assert/strict'
import { picture } from '../harness/media.mjs'
import { accessible, Window } from '../harness/person.mjs'
import { composer, message, messages, row, say, signIn, talkTo } from '../harness/steps.mjs'
import { attach, pictured } from './kinds.mjs'
import { pair } from './talk.mjs'

const panel = (page) => page.getByRole('dialog', { name: 'Stickers' })
async function openStickers(page) {
  await page.getByRole('button', { name: 'Emoji', exact: true }).click()
  await page.getByRole('button', { name: 'Stickers', exact: true }).click()
  await panel(page).waitFor()
}

/** Another device of somebody of beta. */
async function another(test, name) {
  const window = await Window.open(test.browser)
  test.windows.push(window)
  return signIn(test.world.beta, window, name)
}

export const fleeting = [
  {
    name: 'what burns is covered until it is opened, and then gone on both domains, after a reload too',
    async run(test) {
      const { ann, ben } = await pair(test)
      await attach(ann.page, 'Burn after reading')
      await ann.page.getByRole('menuitem', { name: '5 seconds' }).click()
      await ann.page.getByText('Gone 5 seconds after it is opened').waitFor()
      await say(ann.page, 'for your eyes')
      const cover = messages(ben.page).getByRole('button', { name: /Burns after reading/ })
      await cover.waitFor()
      assert.equal(await message(ben.page, 'for your eyes').count(), 0, 'it is covered')
      assert.equal(await row(ben.page, ann.name).getByText('for your eyes').count(), 0, 'in the list, too')
      await accessible(ben.page, 'what burns')
      await cover.click()
      await message(ben.page, 'for your eyes').filter({ hasText: /Gone in \d seconds?/ }).waitFor()
      await message(ann.page, 'for your eyes').filter({ hasText: /Gone in \d seconds?/ }).waitFor()
      for (const { page } of [ann, ben]) {
        await message(page, 'Burnt after reading').waitFor({ timeout: 30_000 })
        assert.equal(await page.getByText('for your eyes').count(), 0)
      }
      // What is said from then on stays.
      await ann.page.getByRole('button', { name: 'They stay' }).click()
      await say(ann.page, 'for everybody')
      await message(ben.page, 'for everybody').waitFor()
      for (const { page } of [ann, ben]) {
        await page.reload()
        await message(page, 'for everybody').waitFor()
        await message(page, 'Burnt after reading').waitFor()
        assert.equal(await page.getByText('for your eyes').count(), 0)
      }
    },
  },
  {
    name: 'a sticker of one’s own is sent, kept by its reader and sent back, and is there on the other device',
    async run(test) {
      const { ann, ben } = await pair(test)
      await openStickers(ann.page)
      await ann.page.getByText('No stickers yet').waitFor()
      const asked = ann.page.waitForEvent('filechooser')
      await panel(ann.page).getByRole('button', { name: 'Add a picture' }).click()
      await (await asked).setFiles([picture('star.png', 300, 240, 40)])
      const first = panel(ann.page).getByRole('button', { name: 'Send sticker 1' })
      await first.waitFor()
      await accessible(ann.page, 'stickers')
      await first.click()
      const theirs = messages(ben.page).filter({ has: ben.page.locator('.sticker') })
      await pictured(theirs.first())
      await theirs.first().locator('.sticker').click({ button: 'right' })
      await ben.page.getByRole('menuitem', { name: 'Add to my stickers' }).click()
      await ben.page.getByText('It is among your stickers').waitFor()
      await openStickers(ben.page)
      await pictured(panel(ben.page))
      await panel(ben.page).getByRole('button', { name: 'Send sticker 1' }).click()
      await pictured(messages(ann.page).filter({ has: ann.page.locator('.sticker') }).nth(1))
      // On another device of Ben's it is there, and goes from there.
      const other = await another(test, ben.name)
      await talkTo(other, ann.user)
      await openStickers(other)
      await pictured(panel(other))
      await panel(other).getByRole('button', { name: 'Send sticker 1' }).focus()
      await other.keyboard.press('Delete')
      await other.getByText('No stickers yet').waitFor()
      await openStickers(ben.page)
      await ben.page.getByText('No stickers yet').waitFor()
    },
  },
  {
    name: 'what was listened to on one device is so on the other',
    async run(test) {
      const { ann, ben } = await pair(test)
      await ann.page.getByRole('button', { name: 'Record a voice message' }).click()
      await ann.page.getByRole('group', { name: 'Recording a voice message' }).getByRole('timer').filter({ hasText: '0:01' }).waitFor()
      await ann.page.getByRole('button', { name: 'Send', exact: true }).last().click()
      const other = await another(test, ben.name)
      await talkTo(other, ann.user)
      const voice = (page) => messages(page).filter({ has: page.getByRole('slider') }).first()
      for (const page of [ben.page, other]) await voice(page).getByText('Not heard yet').waitFor()
      await voice(ben.page).getByRole('button', { name: /^Play the voice message/ }).click()
      for (const page of [ben.page, other]) await voice(page).getByText('Not heard yet').waitFor({ state: 'detached' })
      await other.reload()
      await voice(other).waitFor()
      assert.equal(await voice(other).getByText('Not heard yet').count(), 0)
    },
  },
  {
    name: 'a link has a card that its author’s node has made, and its reader asks nobody',
    async run(test) {
      const { alpha, push } = test.world
      await alpha.ask('policy', '--link-previews', 'true')
      try {
        const { ann, ben } = await pair(test)
        const link = new URL('/stars', new URL(push.origin)).href
        const card = ann.page.getByRole('group', { name: 'Card of the link' })
        // With other words the card follows them; one that is not wanted does not.
        await composer(ann.page).fill(`look at ${link}, please`)
        await card.getByText('Stars over the sea 星空').waitFor()
        await pictured(card)
        await accessible(ann.page, 'a card before it is sent')
        await card.getByRole('button', { name: 'Send without the card' }).click()
        await card.waitFor({ state: 'detached' })
        await composer(ann.page).press('Enter')
        await message(ben.page, 'look at').waitFor()
        assert.equal(await message(ben.page, 'Stars over the sea').count(), 0)
        const before = push.pages.length
        // A link alone is its card.
        await composer(ann.page).fill(link)
        await card.getByText('How to find the Plough.').waitFor()
        await composer(ann.page).press('Enter')
        const theirs = message(ben.page, 'Stars over the sea 星空')
        await theirs.locator('.picture.there img').waitFor()
        assert.equal(await theirs.getByRole('link').getAttribute('href'), link)
        assert.equal(push.pages.length - before, 2, 'the page and its picture, once')
        assert.equal(await message(ben.page, link).count(), 1, 'no text beside it: only that of before')
      } finally {
        await alpha.ask('policy', '--link-previews', 'false')
      }
    },
  },
]
