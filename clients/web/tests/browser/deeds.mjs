// What owners and administrators do in a group of two domains, and what it is for the others.

import assert from 'node:assert/strict'
import { accessible, Window } from '../harness/person.mjs'
import { act, comeIn, composer, fresh, message, open, row, say } from '../harness/steps.mjs'
import { group } from './groups.mjs'

const pane = (page) => page.getByRole('region', { name: 'About the group' })

/** A group of ann's (alpha), with ben (beta) and cora (alpha) in it. */
async function three(test, name) {
  const { ann, ben } = await group(test, name)
  await ben.page.getByRole('link', { name: /Requests/ }).first().click()
  await ben.page.getByRole('button', { name: /^(Accept|Join)/ }).first().click()
  await open(ben.page, name)
  const window = await Window.open(test.browser)
  test.windows.push(window)
  const cora = { name: fresh('cora') }
  cora.page = await comeIn(test.world.alpha, window, cora.name)
  await about(ann.page, 'Add people')
  await pane(ann.page).getByLabel('People', { exact: true }).fill(`${cora.name}@alpha.test`)
  await pane(ann.page).getByLabel('People', { exact: true }).press('Enter')
  await pane(ann.page).getByRole('button', { name: 'Add', exact: true }).click()
  await pane(ann.page).getByText(/ is added\./).waitFor()
  await open(cora.page, name)
  return { ann, ben, cora }
}

/** Opens a page of the group's pane. */
async function about(page, words) {
  if (await pane(page).isVisible()) {
    const back = pane(page).getByRole('button', { name: 'Back' })
    if (await back.isVisible()) await back.click()
  } else {
    const details = page.locator('button[aria-expanded][title="Details"]')
    if ((await details.getAttribute('aria-expanded')) === 'false') await details.click()
    await page.getByRole('button', { name: 'About the group' }).click()
  }
  if (words) await pane(page).getByRole('button', { name: new RegExp(`^${words}`) }).click()
}

/** Chooses in a member's menu, and in the one behind it. */
async function does(page, who, ...words) {
  await pane(page).getByRole('button', { name: `What can be done with ${who}` }).click()
  for (const [at, one] of words.entries()) {
    const item = page.getByRole('menuitem', { name: one, exact: true })
    if (at < words.length - 1) await item.hover()
    await item.click()
  }
}

const sure = (page, yes) => page.getByRole('dialog').getByRole('button', { name: yes, exact: true }).click()

export const deeds = [
  {
    name: 'in a group somebody is muted and may speak again; then only administrators write',
    async run(test) {
      const { ann, ben, cora } = await three(test, 'Mutes')
      await about(ann.page, 'Members')
      await does(ann.page, ben.name, 'Mute', 'until somebody ends it')
      await ben.page.getByText(/You have been muted/).first().waitFor()
      assert.equal(await composer(ben.page).count(), 0)
      await pane(ann.page).getByText(/· muted/).waitFor()
      await does(ann.page, ben.name, 'Let speak again')
      await composer(ben.page).waitFor()
      await say(ben.page, 'I may speak again')
      await message(cora.page, 'I may speak again').waitFor()
      // All but administrators.
      await about(ann.page, 'Who may do what')
      await pane(ann.page).getByRole('group', { name: 'Write' }).getByLabel('owner and administrators').check()
      await pane(ann.page).getByRole('button', { name: 'Save' }).click()
      for (const { page } of [ben, cora]) {
        await composer(page).waitFor({ state: 'detached' })
        await page.getByText('Only administrators may write here.').first().waitFor()
      }
      await say(ann.page, 'the owner writes all the same')
      await message(ben.page, 'the owner writes all the same').waitFor()
      await accessible(ben.page, 'a group in which one may not write')
    },
  },
  {
    name: 'a person is banned, and a domain: they are out, cannot come back, and the ban is lifted',
    async run(test) {
      const { ann, ben, cora } = await three(test, 'Bans')
      await about(ann.page, 'Members')
      await does(ann.page, cora.name, 'Ban')
      await accessible(ann.page, 'banning somebody')
      await sure(ann.page, 'Ban')
      await cora.page.getByText(/You (are|were) banned/).first().waitFor()
      assert.equal(await composer(cora.page).count(), 0)
      await does(ann.page, ben.name, 'Ban everybody on beta.test')
      await sure(ann.page, 'Ban')
      // Who is in stays, as was said, until removed; then nobody of there comes in.
      await does(ann.page, ben.name, 'Remove')
      await sure(ann.page, 'Remove')
      await ben.page.getByText(/You were removed/).first().waitFor()
      await about(ann.page, 'Add people')
      const add = async (user) => {
        await pane(ann.page).getByLabel('People', { exact: true }).fill(user)
        await pane(ann.page).getByLabel('People', { exact: true }).press('Enter')
        await pane(ann.page).getByRole('button', { name: 'Add', exact: true }).click()
      }
      await add(ben.user)
      await pane(ann.page).getByRole('alert').getByText(/may not come into this group/).waitFor()
      await pane(ann.page).getByRole('button', { name: /^Take .* out/ }).click()
      await pane(ann.page).getByLabel('Address or @domain').fill('@beta.test')
      await pane(ann.page).getByRole('button', { name: 'Lift a ban' }).click()
      await pane(ann.page).getByText('The ban is lifted.').waitFor()
      await add(ben.user)
      await pane(ann.page).getByText(/is asked by their own domain/).waitFor()
    },
  },
  {
    name: 'the owner hands the group over, and the new owner destroys it for all',
    async run(test) {
      const { ann, ben, cora } = await three(test, 'Handed over')
      await about(ann.page)
      await pane(ann.page).getByRole('button', { name: 'Hand the group over' }).click()
      await does(ann.page, cora.name, 'Hand the group over')
      await sure(ann.page, 'Hand the group over')
      await pane(ann.page).getByRole('listitem').filter({ hasText: cora.name }).getByText('owner', { exact: true }).waitFor()
      await about(ann.page)
      await pane(ann.page).getByRole('button', { name: 'Leave the group' }).waitFor()
      assert.equal(await pane(ann.page).getByRole('button', { name: 'Destroy the group' }).count(), 0)
      await about(cora.page)
      await pane(cora.page).getByRole('button', { name: 'Destroy the group' }).click()
      const dialog = cora.page.getByRole('dialog')
      assert.equal(await dialog.getByRole('button', { name: 'Destroy for good' }).isDisabled(), true)
      await dialog.getByLabel('Type the group’s name to go on').fill('Handed over')
      await dialog.getByRole('button', { name: 'Destroy for good' }).click()
      for (const { page } of [ann, ben, cora]) {
        await composer(page).waitFor({ state: 'detached' })
        await page.getByText(/destroyed|is over|has ended/).first().waitFor()
      }
    },
  },
  {
    name: 'what is pinned is seen by the others at once, and so is that it is not any more',
    async run(test) {
      const { ann, ben } = await three(test, 'Pins')
      const side = (page) => page.getByRole('complementary', { name: 'Details' })
      const details = ben.page.locator('button[aria-expanded][title="Details"]')
      if ((await details.getAttribute('aria-expanded')) === 'false') await details.click()
      await say(ben.page, 'to be pinned')
      await message(ann.page, 'to be pinned').waitFor()
      await pane(ann.page).getByRole('button', { name: 'Close' }).click()
      await act(ann.page, 'to be pinned', 'Pin')
      for (const { page } of [ann, ben]) await side(page).getByText('1 pinned message').waitFor()
      await side(ben.page).getByRole('button', { name: /to be pinned/ }).waitFor()
      await about(ann.page, 'Pinned messages')
      await pane(ann.page).getByRole('button', { name: 'Unpin' }).click()
      await pane(ann.page).getByText('Nothing is pinned.').waitFor()
      for (const { page } of [ann, ben]) await side(page).getByText(/pinned message/).waitFor({ state: 'detached' })
      await row(ben.page, 'Pins').waitFor()
    },
  },
]
