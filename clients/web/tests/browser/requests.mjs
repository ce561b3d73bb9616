// A first contact from another domain, and what one does with it.

import assert from 'node:assert/strict'
import { Window } from '../harness/person.mjs'
import { comeIn, composer, fresh, message, row, say, stateOf, talkTo, user } from '../harness/steps.mjs'

async function person(test, node, kind) {
  const name = fresh(kind)
  const window = await Window.open(test.browser)
  test.windows.push(window)
  const page = await comeIn(node, window, name)
  return { page, name, user: user(name, node) }
}

/** Somebody of alpha who has asked somebody of beta. */
async function asked(test) {
  const ann = await person(test, test.world.alpha, 'asks')
  const ben = await person(test, test.world.beta, 'asked')
  await talkTo(ann.page, ben.user)
  await say(ann.page, 'we met last week')
  await ben.page.getByRole('link', { name: /1 request|Requests.*1/ }).first().click()
  await ben.page.getByText('we met last week').first().waitFor()
  return { ann, ben }
}

const page = (where) => where.getByRole('main', { name: 'Requests' })

export const requests = [
  {
    name: 'a request is accepted on its page: it is a conversation then, and the other hears',
    async run(test) {
      const { ann, ben } = await asked(test)
      assert.equal(await row(ben.page, ann.name).count(), 0, 'it is not among the conversations')
      await page(ben.page).getByRole('button', { name: 'Accept' }).click()
      await composer(ben.page).waitFor()
      await row(ben.page, ann.name).waitFor()
      await say(ben.page, 'so we did')
      await message(ann.page, 'so we did').waitFor()
      await stateOf(ann.page, 'we met last week', 'Read')
    },
  },
  {
    name: 'a request that is declined is gone, and the other is told nothing',
    async run(test) {
      const { ann, ben } = await asked(test)
      await page(ben.page).getByRole('button', { name: 'Refuse' }).click()
      await ben.page.getByText('No requests.').waitFor()
      assert.equal(await row(ben.page, ann.name).count(), 0)
      await stateOf(ann.page, 'we met last week', 'Sent')
      // Also after loading anew.
      await ben.page.reload()
      await ben.page.getByText('No requests.').waitFor()
    },
  },
  ...[
    ['somebody', (who) => `Block ${who.user}`, (who) => who.user],
    ['a whole domain', () => 'Block everybody on alpha.test', () => 'everybody on alpha.test'],
  ].map(([whom, button, listed]) => ({
    name: `of a request ${whom} can be blocked: nothing more is heard from there, and they are told nothing, until it is undone`,
    async run(test) {
      const { ann, ben } = await asked(test)
      await page(ben.page).getByRole('button', { name: 'More' }).click()
      await ben.page.getByRole('menuitem', { name: button(ann) }).click()
      await ben.page.getByRole('dialog').getByRole('button', { name: 'Block', exact: true }).click()
      await ben.page.getByText('No requests.').waitFor()
      await say(ann.page, 'do you hear me?')
      await stateOf(ann.page, 'do you hear me?', 'Sent')
      assert.equal(await ben.page.getByRole('link', { name: /1 request/ }).count(), 0)
      await ben.page.goto('https://beta.test/settings/blocked')
      await ben.page.getByText(listed(ann), { exact: true }).first().waitFor()
      await ben.page.getByRole('button', { name: /^Unblock/ }).click()
      await ben.page.getByText('Nobody is blocked.').waitFor()
      await ben.page.getByRole('link', { name: /1 request/ }).first().click()
      await ben.page.getByText('we met last week').first().waitFor()
      assert.equal(await ben.page.getByText('do you hear me?').count(), 0)
    },
  })),
]
