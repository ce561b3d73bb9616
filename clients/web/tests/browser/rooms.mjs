// What is not talking: a group that lets in who asks, and the settings of an account.

import assert from 'node:assert/strict'
import { accessible, PASSWORD, PHONE, Window } from '../harness/person.mjs'
import { comeIn, composer, fresh } from '../harness/steps.mjs'

async function person(test, node, name, options) {
  const window = await Window.open(test.browser, options)
  test.windows.push(window)
  return { page: await comeIn(node, window, name), name, user: `${name}@${node.domain}` }
}

const pane = (page) => page.getByRole('region', { name: 'About the group' })

export const rooms = [
  {
    name: 'a group that lets in who asks: link, word, admission, removal, each said in words',
    async run(test) {
      const { alpha } = test.world
      const owner = await person(test, alpha, fresh('owner'))
      const guest = await person(test, alpha, fresh('guest'), { size: PHONE })
      const { page } = owner
      await page.getByRole('button', { name: 'New conversation' }).first().click()
      await page.getByRole('menuitem', { name: 'New group' }).click()
      await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('By request')
      await page.getByRole('button', { name: 'Make the group' }).click()
      await composer(page).waitFor()
      // On a wide window they begin open, and their entries come a moment later.
      const details = page.locator('button[aria-expanded][title="Details"]')
      if ((await details.getAttribute('aria-expanded')) === 'false') await details.click()
      await page.getByRole('button', { name: 'About the group' }).click()
      await pane(page).getByRole('button', { name: 'Who may do what' }).click()
      await pane(page).getByLabel('an administrator lets in').check()
      await pane(page).getByRole('button', { name: 'Save' }).click()
      await pane(page).getByText('Saved').waitFor()
      await accessible(page, 'rights of a group')
      await pane(page).getByRole('button', { name: 'Back' }).click()
      await pane(page).getByRole('button', { name: 'Links into the group' }).click()
      await pane(page).getByRole('button', { name: 'Make a link' }).click()
      const link = await pane(page).locator('output').innerText()
      assert.match(link, /^https:\/\/alpha\.test(:\d+)?\/group\/[a-z0-9]{26}#\S+$/)

      await guest.page.goto(link)
      await guest.page.getByLabel('A word with it').fill('may I come in?')
      await guest.page.getByRole('button', { name: 'Join', exact: true }).click()
      await guest.page.getByText('Waiting for somebody to let you in.').waitFor()
      assert.equal(await composer(guest.page).count(), 0)

      await pane(page).getByRole('button', { name: 'Back' }).click()
      await pane(page).getByRole('button', { name: /^Asking to join/ }).click()
      await pane(page).getByText('may I come in?').waitFor()
      await accessible(page, 'who asks to join')
      await pane(page).getByRole('button', { name: /^Let in/ }).click()
      await composer(guest.page).waitFor()

      await pane(page).getByRole('button', { name: 'Back' }).click()
      await pane(page).getByRole('button', { name: /^Members/ }).click()
      await pane(page).getByRole('button', { name: `What can be done with ${guest.name}` }).click()
      await page.getByRole('menuitem', { name: 'Remove' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click()
      await guest.page.getByText('You were removed from this group.').waitFor()
      await accessible(guest.page, 'a group that one was removed from')
    },
  },
  {
    name: 'settings: a name, a wrong password in words, a blocked domain, the language switched live, the end of an account',
    async run(test) {
      const { alpha } = test.world
      const { page, user, name } = await person(test, alpha, fresh('set'))
      // The browser's way back goes through the sections; closing leaves them all.
      await page.getByRole('link', { name: 'Settings' }).click()
      for (const words of ['Sign-in and devices', 'Blocked']) await page.getByRole('navigation', { name: 'Settings' }).getByRole('button', { name: words }).click()
      assert.equal(new URL(page.url()).pathname, '/settings/blocked')
      await page.goBack()
      await page.getByText('this device').waitFor()
      assert.equal(new URL(page.url()).pathname, '/settings/security')
      await page.reload()
      await page.getByText('this device').waitFor()
      await page.getByRole('region', { name: 'Settings' }).getByRole('button', { name: 'Close' }).click()
      await page.waitForFunction(() => location.pathname === '/')
      const go = async (words) => {
        await page.getByRole('navigation', { name: 'Settings' }).getByRole('button', { name: words }).click()
      }
      await page.getByRole('link', { name: 'Settings' }).click()
      await page.getByLabel('Shown name').fill('Sétanta 星')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('Saved').waitFor()
      await go('Sign-in and devices')
      await page.getByText('this device').waitFor()
      await page.getByRole('button', { name: 'Change the password' }).click()
      await page.getByLabel('Present password').fill('not the password')
      await page.getByLabel('New password', { exact: true }).fill('another good one')
      await page.getByRole('button', { name: 'Change the password' }).click()
      await page.getByText('The name or the password is wrong.').waitFor()
      await accessible(page, 'settings')
      await go('Blocked')
      await page.getByLabel('Address or @domain').fill('@spam.example')
      await page.getByRole('button', { name: 'Block', exact: true }).click()
      await page.getByText('everybody on spam.example').waitFor()
      await go('Appearance')
      await page.getByLabel('中文').check({ force: true })
      await page.getByRole('heading', { name: '外观' }).waitFor()
      assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN')
      await page.getByLabel('English').check({ force: true })
      await go('Account')
      await page.getByRole('button', { name: 'Delete the account' }).click()
      const sure = page.getByRole('dialog')
      await sure.getByLabel('Your password, to be sure that it is you').fill(alpha.passwords.get(name) ?? PASSWORD)
      assert.equal(await sure.getByRole('button', { name: 'Delete for good' }).isDisabled(), true)
      await sure.getByLabel(`Type ${user} to go on`).fill(user)
      await sure.getByRole('button', { name: 'Delete for good' }).click()
      await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
    },
  },
]
