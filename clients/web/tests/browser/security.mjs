// Devices, the password, and the codes for who forgot it.

import assert from 'node:assert/strict'
import { accessible, Window } from '../harness/person.mjs'
import { comeIn, composer, fresh, message, row, say, signIn, stateOf, talkIsReady, talkTo } from '../harness/steps.mjs'

const NEXT = 'another long password'

async function person(test) {
  const { alpha } = test.world
  const name = fresh('dev')
  const window = await Window.open(test.browser)
  test.windows.push(window)
  const page = await comeIn(alpha, window, name)
  await talkTo(page, `${name}@alpha.test`)
  await say(page, 'known to this device')
  await stateOf(page, 'known to this device', 'Sent')
  return { window, page, name }
}

/** The same account in another browser. */
async function elsewhere(test, name) {
  const window = await Window.open(test.browser)
  test.windows.push(window)
  return signIn(test.world.alpha, window, name)
}

async function signedOut(page) {
  await page.getByText('This device was signed out. Sign in again.').waitFor()
}

/** All that is kept of accounts, store by store, without what only says who is to sign in again. */
const kept = (page) => page.evaluate(async () => {
  const out = {}
  for (const { name } of await indexedDB.databases()) {
    if (!name.startsWith('startalk:')) continue
    const db = await new Promise((done) => Object.assign(indexedDB.open(name), { onsuccess: (e) => done(e.target.result) }))
    for (const store of db.objectStoreNames) {
      const all = await new Promise((done) => Object.assign(db.transaction(store).objectStore(store).getAll(), { onsuccess: (e) => done(e.target.result) }))
      if (store !== 'meta' && all.length > 0) out[store] = all.length
    }
    db.close()
  }
  return out
})

export const security = [
  {
    name: 'a recovery code lets one in with a new password, once, and signs the other devices out',
    async run(test) {
      const { page, name } = await person(test)
      await page.goto('https://alpha.test/settings/security')
      await page.getByRole('button', { name: 'Make new codes' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Your password, to be sure that it is you').fill(test.world.alpha.passwords.get(name))
      await dialog.getByRole('button', { name: 'Make new codes' }).click()
      await dialog.locator('code').first().waitFor()
      const codes = await dialog.locator('code').allInnerTexts()
      assert.equal(codes.length, 8)
      await accessible(page, 'recovery codes')
      await dialog.getByLabel('I have kept them').check()
      await dialog.getByRole('button', { name: 'Continue' }).click()
      await dialog.waitFor({ state: 'hidden' })

      const recover = async () => {
        const window = await Window.open(test.browser)
        test.windows.push(window)
        const other = await window.page()
        await other.getByRole('button', { name: 'Forgot your password?' }).click()
        await other.getByLabel('Address', { exact: true }).fill(name)
        await other.getByLabel('Recovery code', { exact: true }).fill(codes[0].toLowerCase().replaceAll('-', ' '))
        await other.getByLabel('New password', { exact: true }).fill(NEXT)
        await accessible(other, 'recovering')
        await other.locator('form button[type=submit]').click()
        return other
      }
      const other = await recover()
      await talkIsReady(other)
      await signedOut(page)
      await row(other, 'File transfer').click()
      await message(other, 'known to this device').waitFor()
      await (await recover()).getByText('The name or the code is wrong, or the code was used already.').waitFor()
      test.world.alpha.passwords.set(name, NEXT)
      await elsewhere(test, name)
    },
  },
  {
    name: 'a device that is signed out elsewhere keeps nothing of what it read or what was typed, and has it again once it is signed in',
    async run(test) {
      const { page, name } = await person(test)
      const other = await elsewhere(test, name)
      await composer(page).fill('typed and not sent')
      await other.goto('https://alpha.test/settings/security')
      await other.getByRole('button', { name: /^Sign out: / }).click()
      await other.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
      await signedOut(page)
      assert.deepEqual(await kept(page), {})
      assert.equal(await page.getByText('known to this device').count(), 0)
      // Also for who loads it anew.
      await page.reload()
      await signedOut(page)
      await page.getByLabel('Password', { exact: true }).fill(test.world.alpha.passwords.get(name))
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
      await talkIsReady(page)
      await row(page, 'File transfer').click()
      await message(page, 'known to this device').waitFor()
    },
  },
  {
    name: 'all other devices are signed out at once, and this one stays',
    async run(test) {
      const { page, name } = await person(test)
      const others = [await elsewhere(test, name), await elsewhere(test, name)]
      await page.goto('https://alpha.test/settings/security')
      await page.getByRole('button', { name: 'Sign out all others' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Sign out all others' }).click()
      for (const other of others) await signedOut(other)
      await page.getByRole('button', { name: 'Sign out all others' }).waitFor({ state: 'hidden' })
      assert.equal(await page.getByRole('button', { name: /^Sign out: / }).count(), 0)
      await row(page, 'File transfer').click()
      await say(page, 'still in')
      await stateOf(page, 'still in', 'Sent')
    },
  },
  {
    name: 'the password is changed: the old one does not let in, the new one does, and devices stay',
    async run(test) {
      const { page, name } = await person(test)
      const old = test.world.alpha.passwords.get(name)
      await page.goto('https://alpha.test/settings/security')
      await page.getByRole('button', { name: 'Change the password' }).click()
      await page.getByLabel('Present password').fill(old)
      await page.getByLabel('New password', { exact: true }).fill('short')
      await page.getByRole('button', { name: 'Change the password' }).click()
      await page.getByText('This is shorter than 8 characters.').waitFor()
      await page.getByLabel('New password', { exact: true }).fill(NEXT)
      await page.getByRole('button', { name: 'Change the password' }).click()
      await page.getByText('The password is changed.').waitFor()
      const window = await Window.open(test.browser)
      test.windows.push(window)
      const other = await window.page()
      await other.getByLabel('Address', { exact: true }).fill(name)
      await other.getByLabel('Password', { exact: true }).fill(old)
      await other.getByRole('button', { name: 'Sign in', exact: true }).click()
      await other.getByText('The name or the password is wrong.').waitFor()
      await other.getByLabel('Password', { exact: true }).fill(NEXT)
      await other.getByRole('button', { name: 'Sign in', exact: true }).click()
      await talkIsReady(other)
      await row(page, 'File transfer').click()
      await say(page, 'still in')
      await message(other, 'still in').or(row(other, 'still in')).first().waitFor()
    },
  },
]
