// A group with people of both domains.

import assert from 'node:assert/strict'
import { accessible } from '../harness/person.mjs'
import { composer, message, open, row, say, times } from '../harness/steps.mjs'
import { pair } from './talk.mjs'

/** A group of ann's, with ben of the other domain in it. */
export async function group(test, name) {
  const { ann, ben } = await pair(test)
  await make(ann, ben, name)
  return { ann, ben }
}

async function make(ann, ben, name) {
  await ann.page.getByRole('button', { name: 'New conversation' }).first().click()
  await ann.page.getByRole('menuitem', { name: 'New group' }).click()
  const dialog = ann.page.getByRole('dialog')
  await accessible(ann.page, 'making a group')
  await dialog.getByLabel('Name', { exact: true }).fill(name)
  await dialog.getByLabel('People', { exact: true }).fill(ben.user)
  await dialog.getByLabel('People', { exact: true }).press('Enter')
  await dialog.getByRole('button', { name: 'Make the group' }).click()
  await dialog.waitFor({ state: 'hidden' })
  await composer(ann.page).waitFor()
}

export const groups = [
  {
    name: 'a group over two domains: invitation, messages both ways, a mention',
    async run(test) {
      const { ann, ben } = await group(test, 'Both sides')
      await ben.page.getByRole('link', { name: /Requests/ }).first().click()
      await ben.page.getByText('Both sides').first().waitFor()
      await accessible(ben.page, 'an invitation')
      await ben.page.getByRole('button', { name: /^(Accept|Join)/ }).first().click()
      await row(ben.page, 'Both sides').waitFor()
      await open(ben.page, 'Both sides')
      await say(ann.page, 'welcome to the group')
      await message(ben.page, 'welcome to the group').waitFor()
      await say(ben.page, 'thank you all')
      await message(ann.page, 'thank you all').waitFor()
      // Ben looks elsewhere, so that the list has to say it.
      await open(ben.page, ann.name)
      await composer(ann.page).pressSequentially(`look here @${ben.name.slice(0, 3)}`)
      const offer = ann.page.getByRole('option').filter({ hasText: ben.name }).first()
      await offer.waitFor()
      assert.equal(await composer(ann.page).getAttribute('aria-expanded'), 'true')
      await composer(ann.page).press('Enter')
      assert.equal((await composer(ann.page).inputValue()).trim(), `look here @${ben.name}`, 'what was begun is completed')
      await offer.waitFor({ state: 'detached' })
      await composer(ann.page).press('Enter')
      await row(ben.page, 'Both sides').getByText('mentioned', { exact: false }).first().waitFor({ state: 'attached' })
      await ben.page.getByText('@ me', { exact: true }).first().click()
      assert.equal(await row(ben.page, 'Both sides').isVisible(), true, 'it is among those that call me')
      await open(ben.page, 'Both sides')
      await message(ben.page, 'look here').waitFor()
      const name = (page) => message(page, 'look here').getByRole('button', { name: `@${ben.name}` })
      assert.equal(await name(ben.page).evaluate((e) => getComputedStyle(e).backgroundColor !== 'rgba(0, 0, 0, 0)'), true, 'it stands out for who is called')
      assert.equal(await name(ann.page).evaluate((e) => getComputedStyle(e).backgroundColor !== 'rgba(0, 0, 0, 0)'), false, 'and for nobody else')
      await row(ben.page, 'Both sides').getByText('mentioned', { exact: false }).first().waitFor({ state: 'detached' })
      assert.equal(await times(ben.page, 'look here'), 1)
      assert.equal(await times(ann.page, 'thank you all'), 1)
      await accessible(ben.page, 'a group')
    },
  },
  {
    name: 'an invitation is on the page of requests though it came while that was open, and one that came while there was no connection',
    async run(test) {
      const { ann, ben } = await pair(test)
      const requests = ben.page.getByRole('main', { name: 'Requests' })
      const look = async () => {
        await ben.page.getByRole('link', { name: 'Requests', exact: true }).first().click()
        await requests.getByText('No invitations.').waitFor()
      }
      await look()
      await make(ann, ben, 'While it is open')
      await requests.getByRole('button', { name: 'Accept: While it is open' }).click()
      await row(ben.page, 'While it is open').waitFor()
      await look()
      ben.node.gate.cut()
      await ben.page.getByText(/^No connection\./).first().waitFor()
      await make(ann, ben, 'While it was away')
      ben.node.gate.mend()
      await requests.getByRole('button', { name: 'Accept: While it was away' }).click()
      await row(ben.page, 'While it was away').waitFor()
    },
  },
]
