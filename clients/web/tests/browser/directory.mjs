// People of a directory: with a real OpenLDAP server beside the node, somebody comes in with their password there, and an
// administrator brings in everybody.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { accessible, DESKTOP, Window } from '../harness/person.mjs'
import { Slapd, somebody } from '../harness/slapd.mjs'
import { signIn, talkIsReady } from '../harness/steps.mjs'

let number = 0

/** Runs with a directory that alpha knows; afterwards alpha is as it was. */
async function withDirectory(test, people, run) {
  const { alpha, folder } = test.world
  const usual = alpha.flags
  const directory = await Slapd.make(join(folder, `directory${(number += 1)}`), people)
  await directory.start()
  await alpha.stop()
  alpha.flags = [...usual, ...directory.settings(`company${number}`)]
  try {
    await alpha.start()
    await run(directory, alpha)
  } finally {
    alpha.flags = usual
    await alpha.stop()
    await alpha.start()
    await directory.stop()
  }
}

async function window(test, options) {
  const made = await Window.open(test.browser, options)
  test.windows.push(made)
  return made
}

async function enter(page, name, password) {
  await page.getByLabel('Address', { exact: true }).fill(name)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

export const directory = [
  {
    name: 'directory: the usual form takes the password of a directory, and says when it is wrong or the directory is away',
    async run(test) {
      await withDirectory(test, somebody('theodora', 'Dora Directory', 'theodora-there'), async (slapd, alpha) => {
        const page = await (await window(test)).page(`https://${alpha.domain}/`)
        await page.getByText('The password here, or your password of Company').waitFor()
        await accessible(page, 'signing in where there is a directory')
        await enter(page, 'theodora', 'wrong')
        await page.getByText('The name or the password is wrong.').first().waitFor()
        await slapd.stop()
        await enter(page, 'theodora', 'theodora-there')
        await page.getByText(/the directory Company, which may know it, does not answer now/).first().waitFor()
        await slapd.start()
        await enter(page, 'theodora', 'theodora-there')
        await talkIsReady(page)
        const made = (await alpha.ask('user', 'list')).users.find((user) => user.user.startsWith('theodora@'))
        assert.equal(made.display_name, 'Dora Directory')
      })
    },
  },
  {
    name: 'directory: an administrator looks at a directory and brings in everybody, who needs no link',
    async run(test) {
      const people = Array.from({ length: 40 }, (_, n) => somebody(`dir${n}`, `Of Company ${n}`, `dir-${n}`)).join('')
      await withDirectory(test, `${people}${somebody('no name', 'Nobody', 'x')}`, async (_, alpha) => {
        const head = `keeper${number}`
        await alpha.account(head)
        await alpha.ask('user', 'role', head, 'administrator')
        const page = await signIn(alpha, await window(test, { size: DESKTOP }), head)
        await page.goto(`https://${alpha.domain}/admin/people`)
        await page.getByRole('button', { name: 'Import', exact: true }).click()
        await page.getByRole('button', { name: 'Look at Company' }).waitFor()
        await accessible(page, 'choosing where people come from')
        const before = (await alpha.ask('user', 'list')).users.length
        await page.getByRole('button', { name: 'Look at Company' }).click()
        await page.getByRole('tab', { name: 'Added 40' }).waitFor()
        await page.getByRole('tab', { name: 'Errors 1' }).waitFor()
        await page.getByLabel('Disable who is not there any more').click()
        await page.getByRole('tab', { name: 'Added 40' }).waitFor()
        await accessible(page, 'the plan of a directory')
        await page.getByRole('button', { name: 'Carry out 40 changes' }).click()
        await page.getByText('40 changes were carried out.').waitFor({ timeout: 120_000 })
        assert.equal((await alpha.ask('user', 'list')).users.length, before + 40)
        assert.equal(await page.getByRole('button', { name: 'Print with QR codes' }).count(), 0)
        const other = await (await window(test)).page(`https://${alpha.domain}/`)
        await enter(other, 'dir7', 'dir-7')
        await talkIsReady(other)
      })
    },
  },
]
