// What an administrator does to a domain while people of two domains talk: a backup is brought back in the browser, and what
// the other domain had acknowledged comes again.

import assert from 'node:assert/strict'
import { accessible, PHONE, Window } from '../harness/person.mjs'
import { comeIn, composer, fresh, message, open, say, signIn, talkIsReady } from '../harness/steps.mjs'
import { pair } from './talk.mjs'

async function window(test, options) {
  const made = await Window.open(test.browser, options)
  test.windows.push(made)
  return made
}

/** An administrator, at a page of the administration. */
async function administrator(test, node, path, options) {
  const name = fresh('head')
  await node.account(name)
  await node.ask('user', 'role', name, 'administrator')
  const page = await signIn(node, await window(test, options), name)
  await page.goto(`https://${node.domain}/admin/${path}`)
  return { page, name }
}

/** A group of these accounts here. */
async function begin(page, title, names) {
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  await page.getByRole('menuitem', { name: 'New group' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name', { exact: true }).fill(title)
  for (const name of names) {
    await dialog.getByLabel('People', { exact: true }).fill(`${name}@alpha.test`)
    await dialog.getByLabel('People', { exact: true }).press('Enter')
  }
  await dialog.getByRole('button', { name: 'Make the group' }).click()
  await dialog.waitFor({ state: 'hidden' })
  await composer(page).waitFor()
}

export const administering = [
  {
    name: 'administering: a backup is brought back while people talk, and what came after it from the other domain comes again',
    async run(test) {
      const { alpha, beta } = test.world
      const { page, name } = await administrator(test, alpha, 'overview')
      const { ann, ben } = await pair(test)
      const [anns, bens] = [ann.page, ben.page]
      await say(anns, 'before the backup')
      await message(bens, 'before the backup').first().waitFor()

      await page.getByRole('button', { name: 'Make a backup' }).click()
      await page.getByText('read again and whole').first().waitFor({ timeout: 60_000 })
      await page.getByRole('button', { name: 'Check', exact: true }).first().click()
      await page.getByText('read again just now').waitFor({ timeout: 60_000 })

      await say(bens, 'from beta, after the backup')
      await message(anns, 'from beta, after the backup').first().waitFor()
      await say(anns, 'from alpha, after the backup')
      await message(bens, 'from alpha, after the backup').first().waitFor()
      const late = fresh('late')
      await alpha.account(late)

      await page.getByRole('button', { name: 'Restore…' }).first().click()
      const dialog = page.getByRole('dialog')
      await dialog.getByText('which send').waitFor()
      assert.match(await dialog.innerText(), new RegExp(`1 account made since is gone: ${late}@`))
      assert.match(await dialog.innerText(), new RegExp(`talked with since: .*${beta.domain}`))
      await accessible(page, 'what a restore would lose')
      const go = dialog.getByRole('button', { name: 'Bring it back' })
      assert.equal(await go.isDisabled(), true, 'without the name of the domain')
      await dialog.getByLabel(/^Type /).fill(alpha.domain)
      const process = alpha.process.pid
      await go.click()
      await dialog.getByText('The backup is back').waitFor({ timeout: 120_000 })
      await accessible(page, 'a restore that went well')
      assert.equal(alpha.process.pid, process)
      assert.equal(alpha.process.exitCode, null, 'the node has started again by itself')
      await dialog.getByRole('button', { name: 'Close' }).last().click()
      await page.getByText('Replaced domains').waitFor()

      const users = (await alpha.ask('user', 'list')).users.map((u) => u.user)
      assert.ok(users.includes(ann.user) && !users.includes(`${late}@${alpha.domain}`), String(users))
      const acts = (await alpha.ask('audit', '--limit', '1')).acts
      assert.deepEqual([acts[0].act, acts[0].by_name], ['backup-restored', `${name}@${alpha.domain}`])

      // On a machine that knows nothing of before: what the node has.
      const elsewhere = await signIn(alpha, await window(test, { size: PHONE }), ann.name)
      await open(elsewhere, ben.name)
      for (const text of ['before the backup', 'from beta, after the backup', 'from alpha, after the backup']) {
        await message(elsewhere, text).first().waitFor()
        assert.equal(await message(elsewhere, text).count(), 1, text)
      }
      await say(anns, 'and it goes on')
      await message(bens, 'and it goes on').first().waitFor()
      assert.equal(await message(bens, 'from alpha, after the backup').count(), 1)

      await page.getByRole('button', { name: 'Delete', exact: true }).click()
      await page.getByRole('dialog').last().getByRole('button', { name: 'Delete', exact: true }).click()
      await page.getByText('Replaced domains').waitFor({ state: 'detached' })
      assert.deepEqual((await alpha.ask('replaced')).replaced, [])
      await talkIsReady(anns)
    },
  },
  {
    name: 'administering: a group is handed over, somebody is removed, it is ended with a reason, and its members see who did it',
    async run(test) {
      const { alpha } = test.world
      const { page } = await administrator(test, alpha, 'groups')
      const [ann, ben, cat] = [fresh('gann'), fresh('gben'), fresh('gcat')]
      const anns = await comeIn(alpha, await window(test), ann)
      for (const name of [ben, cat]) await alpha.account(name)
      const title = fresh('The circle ')
      await begin(anns, title, [ben, cat])
      await page.getByRole('searchbox', { name: 'Search', exact: true }).fill(title)
      await page.getByRole('button', { name: new RegExp(`^${title}`) }).click()
      const card = page.getByRole('dialog')
      await card.getByRole('button', { name: `Make ${ben}@${alpha.domain} the owner` }).waitFor()
      await accessible(page, 'a group')
      await card.getByRole('button', { name: `Make ${ben}@${alpha.domain} the owner` }).click()
      await page.getByRole('dialog').last().getByRole('button', { name: 'Hand over' }).click()
      const line = (text) => anns.getByRole('log').getByText(text).first().waitFor()
      await line(new RegExp(`^An administrator of ${alpha.domain} made ${ben}.* the owner`))
      await card.getByRole('button', { name: `Remove ${cat}@${alpha.domain}` }).click()
      await page.getByRole('dialog').last().getByRole('button', { name: 'Remove', exact: true }).click()
      await line(new RegExp(`^An administrator of ${alpha.domain} removed ${cat}`))
      await card.getByRole('button', { name: 'End the group' }).click()
      const sure = page.getByRole('dialog').last()
      await sure.getByLabel('Why').fill('the summer is over')
      await sure.getByLabel(/^Type /).fill(title)
      await sure.getByRole('button', { name: 'End the group' }).click()
      await line('the summer is over')
      await line(new RegExp(`^An administrator of ${alpha.domain} closed the group`))
      await card.getByText('over', { exact: true }).waitFor()
      const acts = (await alpha.ask('audit', '--limit', '3')).acts.map((a) => a.act)
      assert.deepEqual(acts, ['group-destroyed', 'group-member-removed', 'group-handed-over'])
    },
  },
]
