// Two people who have just started a domain each, in a browser somewhere else: from the link that the program printed to the
// first message and its answer, every action counted. `node newcomers.mjs LINK LINK`; prints one line of JSON. For
// tests/e2e, which starts it behind a router of its own.

import { chromium } from 'playwright-core'
import { PASSWORD, Window } from './harness/person.mjs'
import { composer, message, stateOf, talkIsReady } from './harness/steps.mjs'

/** A page on which everything that a person does is written down. */
class Counted {
  done = []

  constructor(page) {
    this.page = page
  }

  async #does(what, action) {
    await action()
    this.done.push(what)
  }

  opens = (link) => this.#does('opens the link', () => this.page.goto(link))
  types = (label, text) => this.#does(`types: ${label}`, () => this.page.getByLabel(label, { exact: true }).fill(text))
  clicks = (name) => this.#does(`clicks: ${name}`, () => this.page.getByRole('button', { name, exact: true }).last().click())
  ticks = (label) => this.#does(`ticks: ${label}`, () => this.page.getByLabel(label).check())
  presses = (key) => this.#does(`presses ${key}`, () => this.page.keyboard.press(key))
  writes = (text) => this.#does('types: a message', () => composer(this.page).fill(text))
}

const links = process.argv.slice(2)
const names = ['alice', 'bob']
const hosts = links.map((link) => new URL(link).hostname)
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--ignore-certificate-errors'],
})
try {
  const people = []
  for (const [n, link] of links.entries()) {
    const window = await Window.open(browser, { hosts })
    const page = await window.context.newPage()
    page.setDefaultTimeout(30_000)
    const person = new Counted(page)
    people.push({ window, person })
    await person.opens(link)
    await person.types('Name', names[n])
    await person.types('Password', PASSWORD)
    await person.clicks('Make an account')
    await person.ticks('I have kept them')
    await person.clicks('Continue')
    await talkIsReady(page)
  }
  const [alice, bob] = people.map((p) => p.person)
  // He looks up his address, and tells her.
  await bob.clicks('Accounts: bob')
  await bob.page.getByRole('menuitem', { name: 'Copy my address' }).click()
  bob.done.push('clicks: Copy my address')
  const said = await bob.page.getByText(/(^|: )bob@\S+$/).first().innerText()
  const bobs = /bob@\S+$/.exec(said.trim())[0]
  await alice.clicks('New conversation')
  await alice.types('Address', bobs)
  await alice.presses('Enter')
  await composer(alice.page).waitFor()
  await alice.writes('the first message')
  await alice.presses('Enter')
  await bob.page.getByRole('link', { name: /1 request/ }).first().click()
  bob.done.push('clicks: 1 request')
  await bob.clicks('Accept')
  await message(bob.page, 'the first message').waitFor()
  await bob.writes('and its answer')
  await bob.presses('Enter')
  await message(alice.page, 'and its answer').waitFor()
  await stateOf(alice.page, 'the first message', 'Read')
  for (const { window } of people) await window.check()
  console.log(JSON.stringify({ alice: alice.done, bob: bob.done }))
} catch (error) {
  const pictures = process.env.PICTURES
  for (const [n, page] of browser.contexts().flatMap((c) => c.pages()).entries()) {
    if (pictures) await page.screenshot({ path: `${pictures}/newcomer-${n}.png`, timeout: 5000 }).catch(() => undefined)
  }
  throw error
} finally {
  await browser.close()
}
