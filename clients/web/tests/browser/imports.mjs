// People who come in from a file, and a family that comes in by a QR code: by an administrator, and by those who come.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import jsQR from 'jsqr'
import { accessible, DESKTOP, PASSWORD, PHONE, Window } from '../harness/person.mjs'
import { composer, fresh, open as openTalk, signIn, talkIsReady } from '../harness/steps.mjs'

async function administrator(test, node, options) {
  const window = await Window.open(test.browser, options)
  test.windows.push(window)
  const name = fresh('head')
  await node.account(name)
  await node.ask('user', 'role', name, 'administrator')
  const page = await signIn(node, window, name)
  return { page, name, window }
}

/** The page of imports. */
async function importing(page, node) {
  await page.goto(`https://${node.domain}/admin/people`)
  await page.getByRole('button', { name: 'Import', exact: true }).click()
  await page.getByRole('heading', { name: 'Import people' }).waitFor()
}

const choose = (page, text, name = 'people.csv') =>
  page.getByLabel('Choose a file').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(text) })

/** A list of so many people of one test, from `from` on. */
function list(prefix, from, to, extra = []) {
  const rows = []
  for (let n = from; n <= to; n += 1) rows.push(`${prefix}-${n},${prefix}${n},人 ${prefix} ${n}`)
  return `\u{feff}外部编号,帐号,姓名\r\n${[...rows, ...extra].join('\r\n')}\r\n`
}

/** What a QR code on the page says, read as a camera reads it: from its pixels. */
async function readCode(page, image) {
  const shot = (await image.screenshot()).toString('base64')
  const { pixels, width, height } = await page.evaluate(async (png) => {
    const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0))
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
    const context = canvas.getContext('2d')
    context.drawImage(bitmap, 0, 0)
    return { pixels: [...context.getImageData(0, 0, bitmap.width, bitmap.height).data], width: bitmap.width, height: bitmap.height }
  }, shot)
  const found = jsQR(Uint8ClampedArray.from(pixels), width, height)
  assert.ok(found, 'a camera finds a code')
  return found.data
}

/** Comes in by a sign-in link. */
async function comeByLink(test, link) {
  const window = await Window.open(test.browser, { size: PHONE })
  test.windows.push(window)
  const page = await window.page(link)
  await page.getByRole('heading', { name: /^Your account on/ }).waitFor()
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await accessible(page, 'a sign-in link')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByLabel('I have kept them').check()
  await page.getByRole('button', { name: 'Continue' }).click()
  await talkIsReady(page)
  return page
}

export const imports = [
  {
    name: 'imports: three hundred people from a file with five wrong rows, one comes in by their link and is found, twice is once',
    async run(test) {
      const { alpha } = test.world
      const { page } = await administrator(test, alpha, { size: DESKTOP })
      await importing(page, alpha)
      await accessible(page, 'choosing a file')
      const wrong = [
        'imp-296,no spaces please,Somebody', // a name that cannot be one
        ',imp297,Nobody 297', // no id
        'imp-1,imp298,Again', // an id that is there already
        'imp-299,imp2,Twice', // a name that is there already
        `imp-300,imp300,${'长'.repeat(70)}`, // a shown name that is too long
      ]
      const file = list('imp', 1, 295, wrong)
      await choose(page, file)
      await page.getByRole('tab', { name: 'Errors 5' }).waitFor()
      const errors = page.getByRole('tabpanel').getByRole('row')
      assert.equal(await errors.count(), 6)
      const said = await errors.allInnerTexts()
      for (const [row, about, words] of [[297, 'Somebody', /cannot be a name/], [298, 'Nobody 297', /external id is missing/], [299, 'Again', /row 2 already/], [300, 'Twice', /row 3 already/], [301, '长', /at most|characters|字/]]) {
        const line = said.find((text) => text.startsWith(String(row)))
        assert.ok(line?.includes(about) && words.test(line), `row ${row}: ${line}`)
      }
      await accessible(page, 'errors of a file')
      await page.getByRole('tab', { name: 'Added 295' }).click()
      await page.getByRole('cell', { name: '人 imp 7 ' }).or(page.getByRole('cell', { name: '人 imp 7imp7' })).first().waitFor()
      await accessible(page, 'a plan')
      const before = (await alpha.ask('user', 'list')).users.length
      await page.getByRole('button', { name: 'Carry out 295 changes' }).click()
      await page.getByText('295 changes were carried out.').waitFor({ timeout: 120_000 })
      assert.equal((await alpha.ask('user', 'list')).users.length, before + 295)
      await accessible(page, 'what a file came to')

      // The links, as a file and on paper.
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download as CSV' }).click()])
      const lines = (await readFile(await download.path(), 'utf8')).trim().split('\r\n')
      assert.equal(lines.length, 296)
      const own = lines.find((line) => line.includes(`imp42@${alpha.domain}`))
      const link = own.split(',').find((cell) => cell.startsWith('https://'))
      await page.getByRole('button', { name: 'Print with QR codes' }).click()
      const sheets = page.getByRole('dialog', { name: 'Print' })
      await sheets.getByRole('img').first().waitFor()
      assert.equal(await sheets.getByRole('img').count(), 295)
      const code = sheets.getByRole('img', { name: '人 imp 42', exact: true })
      await code.scrollIntoViewIfNeeded()
      assert.equal(await readCode(page, code), link, 'the code says what the file says')
      await sheets.getByRole('button', { name: 'Back' }).click()

      // One of them comes in, and is found by their name.
      const their = await comeByLink(test, link)
      await page.getByRole('button', { name: 'Done', exact: true }).click()
      await page.getByRole('searchbox', { name: 'Search', exact: true }).fill('人 imp 42')
      await page.getByRole('button', { name: /imp42@/ }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).waitFor()
      await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
      // Used is used.
      await their.context().clearCookies()
      const late = await Window.open(test.browser)
      test.windows.push(late)
      const again = await late.page(link)
      await again.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await again.getByRole('button', { name: 'Continue' }).click()
      await again.getByText('This link was used').waitFor()

      // The same file again: nothing of it is left to do.
      await importing(page, alpha)
      await choose(page, file)
      await page.getByText('295 rows say what is so already.').waitFor()
      assert.equal(await page.getByRole('button', { name: /^Carry out/ }).count(), 0)
      assert.equal(await page.getByRole('tab').count(), 1, 'errors alone')

      // A list of everybody that lacks a third: only with the number.
      await choose(page, list('imp', 1, 200))
      await page.getByText('200 rows say what is so already.').waitFor()
      await page.getByRole('switch', { name: 'The file names everybody' }).click()
      await page.getByRole('tab', { name: 'Disabled 95' }).waitFor()
      await page.getByRole('alert').filter({ hasText: '95 of 295' }).waitFor()
      const carry = page.getByRole('button', { name: 'Carry out 95 changes' })
      assert.ok(await carry.isDisabled())
      await page.getByLabel('Type 95 to disable so many').fill('94')
      assert.ok(await carry.isDisabled())
      await accessible(page, 'too many are missing')
      await page.getByLabel('Type 95 to disable so many').fill('95')
      await carry.click()
      await page.getByText('95 changes were carried out.').waitFor({ timeout: 60_000 })
      const people = (await alpha.ask('user', 'list')).users.filter((u) => u.user.startsWith('imp'))
      assert.equal(people.filter((u) => u.disabled).length, 95)
      // Who is named again is let in again.
      await page.getByRole('button', { name: 'Another file' }).click()
      await choose(page, list('imp', 1, 295))
      await page.getByRole('tab', { name: 'Changed 95' }).waitFor()
    },
  },
  {
    name: 'imports: a plan that is not true any more is refused, and looked at again',
    async run(test) {
      const { alpha } = test.world
      const { page } = await administrator(test, alpha, { size: PHONE })
      await importing(page, alpha)
      await choose(page, 'account;name\nstale1;One\nstale2;Two\n', 'people.txt')
      await page.getByRole('tab', { name: 'Added 2' }).waitFor()
      await alpha.account('stale2')
      await page.getByRole('button', { name: 'Carry out 2 changes' }).click()
      await page.getByRole('alert').filter({ hasText: 'Something has changed since' }).getByRole('button', { name: 'Try again' }).click()
      await page.getByRole('tab', { name: 'Changed 1' }).waitFor()
      await accessible(page, 'a plan on a phone')
      await page.getByRole('button', { name: 'Carry out 2 changes' }).click()
      await page.getByText('2 changes were carried out.').waitFor()
      await page.getByText('One person is new.').waitFor()
    },
  },
  {
    name: 'imports: a family is invited into its group by a QR code that a camera reads',
    async run(test) {
      const { alpha } = test.world
      const { page, name } = await administrator(test, alpha, { size: DESKTOP })
      const family = `Family ${name}`
      await alpha.account(`aunt-of-${name}`)
      await page.getByRole('button', { name: 'New conversation' }).first().click()
      await page.getByRole('menuitem', { name: 'New group' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name', { exact: true }).fill(family)
      await dialog.getByLabel('People', { exact: true }).fill(`aunt-of-${name}@${alpha.domain}`)
      await dialog.getByLabel('People', { exact: true }).press('Enter')
      await dialog.getByRole('button', { name: 'Make the group' }).click()
      await dialog.waitFor({ state: 'hidden' })
      await composer(page).waitFor()
      await page.goto(`https://${alpha.domain}/admin/invitations`)
      await page.getByLabel('5 people').check({ force: true })
      await page.getByRole('checkbox', { name: family }).check()
      await page.getByRole('button', { name: 'Make a link' }).click()
      await page.locator('output').waitFor()
      await accessible(page, 'an invitation into a group')
      await page.getByText(`joins ${family}`).first().waitFor()
      await page.getByRole('button', { name: 'Print', exact: true }).click()
      const sheet = page.getByRole('dialog', { name: 'Print' })
      await sheet.getByText(`joins ${family}`).waitFor()
      await accessible(page, 'an invitation on paper')
      const link = await readCode(page, sheet.getByRole('img'))
      assert.match(link, new RegExp(`^https://${alpha.domain}/join/[a-z2-7]{32}$`))

      // A second person, a second browser.
      const window = await Window.open(test.browser, { size: PHONE })
      test.windows.push(window)
      const kid = await window.page(link)
      await kid.getByLabel('Name', { exact: true }).fill(`kid-of-${name}`)
      await kid.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await kid.getByRole('button', { name: 'Make an account' }).click()
      await kid.getByLabel('I have kept them').check()
      await kid.getByRole('button', { name: 'Continue' }).click()
      await talkIsReady(kid)
      await openTalk(kid, family)
      const { groups } = await alpha.ask('groups')
      assert.equal(groups.find((g) => g.name === family).members, 3)
    },
  },
]
