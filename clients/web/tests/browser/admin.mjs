// Administration in the browser, by an administrator of one of two domains: a family is invited, a domain is denied, what
// keeps a peer is found out, a backup is made and brought back.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { accessible, PHONE, Window } from '../harness/person.mjs'
import { fresh, message, say, signIn, signUp, talkIsReady, talkTo } from '../harness/steps.mjs'

/** An administrator, in the administration. */
async function administrator(test, node, options) {
  const window = await Window.open(test.browser, options)
  test.windows.push(window)
  const name = fresh('chief')
  await node.account(name)
  await node.ask('user', 'role', name, 'administrator')
  const page = await signIn(node, window, name)
  await page.goto(`https://${node.domain}/admin`)
  await heading(page, 'Overview').or(page.getByRole('button', { name: 'Overview' })).first().waitFor()
  return { page, name, window }
}

const heading = (page, name) => page.getByRole('heading', { name, exact: true })
const go = async (page, name) => {
  await page.getByRole('navigation', { name: 'Administration' }).getByRole('button', { name, exact: true }).click()
  await heading(page, name).waitFor()
}

/** Asks until it is so; only a hang of the test ends it otherwise. */
async function until(holds) {
  while (!(await holds())) await new Promise((later) => setTimeout(later, 200))
}

export const admin = [
  {
    name: 'administration: a family is invited by a link and its QR code, and the record says who did it',
    async run(test) {
      const { alpha } = test.world
      const { page, name } = await administrator(test, alpha, { size: PHONE })
      await go(page, 'Invitations')
      await page.getByLabel('5 people').check({ force: true })
      await page.getByRole('button', { name: 'Make a link' }).click()
      const link = await page.locator('output').innerText()
      await page.getByRole('button', { name: 'QR code of the link' }).click()
      await page.getByRole('img', { name: 'QR code of the link' }).waitFor()
      await accessible(page, 'invitations')
      const guest = await Window.open(test.browser)
      test.windows.push(guest)
      const kid = fresh('kid')
      await signUp(alpha, guest, kid, link.slice(link.lastIndexOf('/') + 1))
      await page.getByRole('button', { name: 'Back' }).click()
      await go(page, 'People')
      await page.getByRole('searchbox', { name: 'Search', exact: true }).fill(kid)
      await page.getByRole('button', { name: new RegExp(`^${kid}@`) }).click()
      const card = page.getByRole('dialog')
      await card.getByRole('button', { name: 'Sign out' }).waitFor()
      await accessible(page, 'a person')
      await card.getByRole('button', { name: 'Close' }).click()
      await page.getByRole('button', { name: 'Back' }).click()
      await go(page, 'Record')
      const act = page.getByRole('listitem').filter({ hasText: 'Invitation made' }).first()
      assert.match(await act.innerText(), new RegExp(name))
      await accessible(page, 'the record')
    },
  },
  {
    name: 'administration: people are added, disabled and deleted, and policies hold',
    async run(test) {
      const { alpha } = test.world
      const { page } = await administrator(test, alpha)
      await go(page, 'People')
      await page.getByRole('button', { name: 'Add a person' }).click()
      const name = fresh('added')
      await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill(name)
      await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click()
      alpha.passwords.set(name, await page.getByRole('dialog').locator('output').innerText())
      await page.getByRole('button', { name: 'I have kept it' }).click()
      await page.getByRole('searchbox', { name: 'Search', exact: true }).fill(name)
      await page.getByRole('button', { name: new RegExp(`^${name}@`) }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Disable', exact: true }).click()
      await page.getByRole('dialog').last().getByRole('button', { name: 'Disable', exact: true }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Enable' }).waitFor()
      await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
      const sure = page.getByRole('dialog').last()
      await sure.getByLabel(/^Type /).fill(`${name}@${alpha.domain}`)
      await sure.getByRole('button', { name: 'Delete', exact: true }).click()
      await page.getByText('Nobody found.').waitFor()
      await go(page, 'Policies')
      await page.getByLabel('Characters of a new password').fill('7')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByRole('alert').waitFor()
      await page.getByLabel('Characters of a new password').fill('12')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('Saved', { exact: true }).waitFor()
      assert.equal((await alpha.ask('policy')).password_chars_min, 12)
      await accessible(page, 'policies')
      await alpha.ask('policy', '--password-chars-min', '8')
      await go(page, 'Tokens')
      await page.getByRole('button', { name: 'Make a token' }).click()
      await page.getByRole('dialog').getByLabel('What it is for').fill('a dashboard')
      await page.getByRole('dialog').getByRole('button', { name: 'Make a token' }).click()
      const secret = await page.getByRole('dialog').locator('output').innerText()
      assert.match(secret, /^sta_[0-9a-f]{64}$/)
      await page.getByRole('button', { name: 'I have kept it' }).click()
      await page.getByText('a dashboard').waitFor()
      await accessible(page, 'tokens')
    },
  },
  {
    name: 'administration: why a peer lags is said in words, and a domain is denied and allowed again',
    async run(test) {
      const { alpha, beta } = test.world
      const { page, name } = await administrator(test, alpha)
      const other = fresh('far')
      await beta.account(other)
      await beta.stop()
      await page.goto(`https://${alpha.domain}/`)
      await talkIsReady(page)
      await talkTo(page, `${other}@${beta.domain}`)
      await say(page, 'are you there?')
      await message(page, 'are you there?').first().waitFor()
      await until(async () => (await alpha.ask('peers')).links.some((l) => l.domain === beta.domain && l.last_error && l.lag > 0))
      await page.goto(`https://${alpha.domain}/admin/domains`)
      const row = page.getByRole('button', { name: new RegExp(`^${beta.domain.replace('.', '\\.')}`) })
      await row.click()
      const card = page.getByRole('dialog')
      await card.getByText('Last error').waitFor()
      assert.match(await card.locator('.error').innerText(), /[a-z]/)
      await accessible(page, 'a domain that lags')
      await card.getByRole('button', { name: 'Deny' }).click()
      await page.getByRole('dialog').last().getByRole('button', { name: 'Deny' }).click()
      await card.getByText('denied', { exact: true }).waitFor()
      await card.getByRole('button', { name: 'Allow' }).click()
      await card.getByText('denied', { exact: true }).waitFor({ state: 'detached' })
      await card.getByRole('button', { name: 'Close' }).click()
      await beta.start()
      await alpha.ask('domain', 'clear', beta.domain)
      // It recovers by itself, and the card says so while one looks.
      await row.click()
      await card.getByText(/^connected/).waitFor({ timeout: 90_000 })
      await until(async () => (await alpha.ask('peers')).links.some((l) => l.domain === beta.domain && l.lag === 0))
      assert.ok(name)
    },
  },
  {
    name: 'administration: a backup is made, everything is checked, and the backup comes back as it was',
    async run(test) {
      const { alpha } = test.world
      const { page, name } = await administrator(test, alpha)
      await page.getByRole('button', { name: 'Make a backup' }).click()
      await page.getByText('read again and whole').first().waitFor({ timeout: 60_000 })
      await page.getByRole('button', { name: 'Check everything' }).click()
      await page.getByText(/records, every one whole/).waitFor({ timeout: 60_000 })
      await accessible(page, 'overview')
      const [last] = (await alpha.ask('backups')).backups
      assert.equal(last.verified, true)
      const data = alpha.data
      const late = fresh('late')
      await alpha.account(late)
      await alpha.stop()
      const restored = join(data, '..', fresh('restored'))
      alpha.data = restored
      try {
        await alpha.ask('restore', last.place)
        const users = (await alpha.ask('user', 'list')).users.map((u) => u.user)
        assert.ok(users.includes(`${name}@${alpha.domain}`), String(users))
        assert.ok(!users.includes(`${late}@${alpha.domain}`), 'who came after the backup is not in it')
      } finally {
        alpha.data = data
        await alpha.start()
      }
    },
  },
]
