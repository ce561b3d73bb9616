// What is said later, kept for later and told of later: between two domains, and on two devices of one person.

import assert from 'node:assert/strict'
import { accessible, Window } from '../harness/person.mjs'
import { act, composer, message, say, signIn, talkTo } from '../harness/steps.mjs'
import { pair } from './talk.mjs'

const dialog = (page, name) => page.getByRole('dialog', { name })
/** What is kept for later, by the menu of the account. */
async function openLater(page, item) {
  await page.getByRole('button', { name: /^Accounts/ }).first().click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
  await dialog(page, 'Kept for later').waitFor()
  return dialog(page, 'Kept for later')
}
/** By the clock of the page, as its field for times has it. */
const inSeconds = (page, seconds) => page.evaluate((ms) => {
  const at = new Date(Date.now() + ms)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}, seconds * 1000)
async function pickTime(page, inside, seconds, button) {
  await inside.getByLabel('Day and time').fill(await inSeconds(page, seconds))
  await inside.getByRole('button', { name: button, exact: true }).click()
}
async function sendLater(page, text, item = 'Send later') {
  if (text) await composer(page).fill(text)
  await page.getByRole('button', { name: 'Send later' }).click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
}
async function another(test, node, name) {
  const window = await Window.open(test.browser)
  test.windows.push(window)
  return signIn(node, window, name)
}

export const later = [
  {
    name: 'a message that is scheduled is said at its time, and others are changed, sent now and deleted',
    async run(test) {
      const { ann, ben } = await pair(test)
      // A time that is past is none.
      await sendLater(ann.page, 'at its time')
      await accessible(ann.page, 'when a message is to be sent')
      await pickTime(ann.page, dialog(ann.page, 'Send later'), -60, 'Schedule')
      await dialog(ann.page, 'Send later').getByText('This time is past.').waitFor()
      await pickTime(ann.page, dialog(ann.page, 'Send later'), 12, 'Schedule')
      await dialog(ann.page, 'Send later').waitFor({ state: 'detached' })
      assert.equal(await composer(ann.page).inputValue(), '')
      assert.equal(await message(ben.page, 'at its time').count(), 0, 'it is not said yet')
      // By a click with the other button, too.
      await composer(ann.page).fill('tomorrow, with a mistaek')
      await ann.page.getByRole('button', { name: 'Send', exact: true }).click({ button: 'right' })
      await ann.page.getByRole('menuitem', { name: 'Send later' }).click()
      await dialog(ann.page, 'Send later').getByRole('button', { name: 'Tomorrow at 9:00' }).click()
      await dialog(ann.page, 'Send later').waitFor({ state: 'detached' })
      await sendLater(ann.page, 'never said')
      await dialog(ann.page, 'Send later').getByRole('button', { name: 'In 3 hours' }).click()
      await dialog(ann.page, 'Send later').waitFor({ state: 'detached' })
      // They stand over where one writes, and lead to the list.
      await composer(ann.page).fill('')
      const line = ann.page.getByRole('button', { name: /^\d scheduled$/ })
      await line.filter({ hasText: /^2 scheduled|^3 scheduled/ }).waitFor()
      await line.click()
      const list = dialog(ann.page, /^Scheduled for/)
      const entry = (text) => list.getByRole('listitem').filter({ hasText: text })
      await entry('never said').waitFor()
      await accessible(ann.page, 'what is scheduled')
      await entry('never said').getByRole('button', { name: 'Delete' }).click()
      await entry('never said').waitFor({ state: 'detached' })
      await entry('mistaek').getByRole('button', { name: 'Change the text' }).click()
      await list.getByRole('textbox', { name: 'Text' }).fill('tomorrow, without a mistake')
      await list.getByRole('button', { name: 'Save', exact: true }).click()
      await entry('without a mistake').getByRole('button', { name: 'Another time' }).click()
      await list.getByRole('button', { name: 'In 3 hours' }).click()
      await entry('without a mistake').getByRole('button', { name: 'Send now' }).click()
      await entry('without a mistake').waitFor({ state: 'detached' })
      await message(ben.page, 'tomorrow, without a mistake').waitFor()
      await message(ben.page, 'at its time').waitFor({ timeout: 30_000 })
      await list.getByText('Nothing is scheduled').waitFor()
      await ann.page.keyboard.press('Escape')
      await line.waitFor({ state: 'detached' })
      await message(ann.page, 'at its time').waitFor()
      assert.equal(await message(ben.page, 'at its time').count(), 1)
      assert.equal(await message(ben.page, 'never said').count(), 0)
    },
  },
  {
    name: 'a reminder is shown at its time on both devices, also after a reload, and is done on both',
    async run(test) {
      const { ann, ben } = await pair(test)
      await say(ann.page, 'do not forget this')
      const other = await another(test, test.world.beta, ben.name)
      await act(ben.page, 'do not forget this', 'Remind me')
      const form = dialog(ben.page, 'Remind me')
      await accessible(ben.page, 'when to be reminded')
      await form.getByLabel('Note').fill('buy milk')
      await pickTime(ben.page, form, 5, 'Remind me')
      await form.waitFor({ state: 'detached' })
      const due = (page) => page.getByRole('group', { name: 'Reminder: buy milk' })
      assert.equal(await due(ben.page).count(), 0)
      await due(ben.page).waitFor({ timeout: 30_000 })
      await due(other).waitFor({ timeout: 30_000 })
      await other.reload()
      await due(other).waitFor({ timeout: 30_000 })
      await accessible(other, 'a reminder that is due')
      await due(other).getByRole('button', { name: 'Show' }).click()
      await message(other, 'do not forget this').waitFor()
      const list = await openLater(ben.page, 'Reminders')
      await list.getByRole('listitem').filter({ hasText: 'buy milk' }).waitFor()
      await accessible(ben.page, 'reminders')
      await list.getByRole('button', { name: 'Done' }).click()
      await list.getByText('No reminders').waitFor()
      await due(other).waitFor({ state: 'detached' })
      await due(ben.page).waitFor({ state: 'detached' })
    },
  },
  {
    name: 'saved messages are on both devices, are found and jumped to, and one that was recalled says so',
    async run(test) {
      const { ann, ben } = await pair(test)
      await say(ann.page, 'the code of the door is 4711')
      await say(ann.page, 'soon recalled')
      await message(ben.page, 'soon recalled').waitFor()
      const other = await another(test, test.world.beta, ben.name)
      for (const text of ['the code of the door', 'soon recalled']) {
        await act(ben.page, text, 'Save for myself')
        await ben.page.getByText('Saved, for you alone').last().waitFor()
      }
      const list = await openLater(other, 'Saved messages')
      await list.getByRole('listitem').nth(1).waitFor()
      await accessible(other, 'saved messages')
      await list.getByRole('searchbox', { name: 'Search saved messages' }).fill('door')
      assert.equal(await list.getByRole('listitem').count(), 1)
      await list.getByRole('button', { name: /4711/ }).click()
      await list.waitFor({ state: 'detached' })
      await message(other, '4711').waitFor()
      // With a note, which is there after a reload, too; and taken out by the menu of the message.
      const noted = await openLater(ben.page, 'Saved messages')
      await noted.getByRole('listitem').filter({ hasText: '4711' }).getByRole('button', { name: 'Change the note' }).click()
      await noted.getByLabel('Note (may be empty)').fill('for the key box')
      await noted.getByRole('button', { name: 'Save', exact: true }).click()
      await noted.getByText('Note: for the key box').waitFor()
      await accessible(ben.page, 'saved messages with a note')
      await other.reload()
      const after = await openLater(other, 'Saved messages')
      await after.getByText('Note: for the key box').waitFor()
      await other.keyboard.press('Escape')
      await after.waitFor({ state: 'detached' })
      await ben.page.keyboard.press('Escape')
      await noted.waitFor({ state: 'detached' })
      await act(ben.page, '4711', 'Remove from saved messages')
      await ben.page.getByText('Removed from saved messages').waitFor()
      const rest = await openLater(other, 'Saved messages')
      await rest.getByRole('listitem').nth(1).waitFor({ state: 'detached' })
      await rest.getByRole('listitem').filter({ hasText: 'soon recalled' }).waitFor()
      await other.keyboard.press('Escape')
      await act(ben.page, '4711', 'Save for myself')
      await ben.page.getByText('Saved, for you alone').last().waitFor()
      await act(ann.page, 'soon recalled', 'Recall')
      await dialog(ann.page, /./).getByRole('button', { name: 'Recall' }).click()
      await ben.page.getByText('recalled a message').first().waitFor()
      const again = await openLater(ben.page, 'Saved messages')
      await again.getByText('This message was recalled.').waitFor()
      for (const left of [1, 0]) {
        await again.getByRole('button', { name: 'Remove from saved messages' }).first().click()
        await again.getByRole('listitem').nth(left).waitFor({ state: 'detached' })
      }
      await again.getByText('Nothing is saved').waitFor()
    },
  },
]
