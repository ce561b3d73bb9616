// Accounts at domains other than the one that the page is from.

import { PASSWORD, Window } from '../harness/person.mjs'
import * as steps from '../harness/steps.mjs'

export const accounts = [
  {
    name: 'an account of another domain is signed in from this one’s page, and writes from there',
    async run({ world, browser, windows }) {
      const home = await Window.open(browser)
      windows.push(home)
      await steps.signUp(world.beta, home, 'abroad')
      const away = await Window.open(browser)
      windows.push(away)
      const page = await away.page('https://alpha.test/')
      await page.getByLabel('Address', { exact: true }).fill('abroad@beta.test')
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
      await steps.talkIsReady(page)
      await steps.talkTo(page, 'abroad@beta.test')
      await steps.say(page, 'from abroad')
      await steps.stateOf(page, 'from abroad', 'Sent')
      // As what it is there too, after loading anew: the connection is the other domain's.
      await page.reload()
      await steps.message(page, 'from abroad').first().waitFor()
    },
  },
]
