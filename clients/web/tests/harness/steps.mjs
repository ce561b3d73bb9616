// What a person does, as one finds things on the screen: by role and name. English words, from src/words.

import { PASSWORD } from './person.mjs'

let number = 0
/** A name that nobody else has in this run: the tests share their nodes. */
export const fresh = (name) => `${name}${(number += 1)}`
export const user = (name, node) => `${name}@${node.domain}`

/** An account by a one-time link, until the list of conversations can be used. */
export async function signUp(node, window, name, link) {
  const secret = link ?? (await node.invitation())
  const page = await window.page(`https://${node.domain}/join/${secret}`)
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Make an account' }).click()
  await page.getByLabel('I have kept them').check()
  await page.getByRole('button', { name: 'Continue' }).click()
  await talkIsReady(page)
  return page
}

/** An account that the operator made, signed in: the node lets one address make ten by links, and then one a minute. */
export async function comeIn(node, window, name) {
  await node.account(name)
  return signIn(node, window, name)
}

export async function signIn(node, window, name) {
  const page = await window.page(`https://${node.domain}/`)
  await signInAt(page, node, name)
  return page
}

/** Signs in on a page that asks for it. */
export async function signInAt(page, node, name) {
  await page.getByLabel('Address', { exact: true }).fill(name)
  await page.getByLabel('Password', { exact: true }).fill(node.passwords.get(name) ?? PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await talkIsReady(page)
}

export async function talkIsReady(page) {
  await page.getByRole('button', { name: 'New conversation' }).first().waitFor()
}

/** Opens the conversation with somebody by their address, as with Ctrl+K. */
export async function talkTo(page, address) {
  await page.keyboard.press('Control+k')
  const field = finder(page)
  await field.fill(address)
  await page.getByRole('option', { name: address }).first().waitFor()
  await field.press('Enter')
  // Until then the composer that is seen may be another conversation's.
  await field.waitFor({ state: 'detached' })
  await composer(page).waitFor()
}

/** The field of the one box in which everything is found. */
export const finder = (page) => page.getByRole('dialog', { name: 'Search' }).getByRole('combobox', { name: 'Search', exact: true })

/** Opens a conversation out of the list. */
export async function open(page, name) {
  await row(page, name).click()
  await composer(page).waitFor()
}

export const row = (page, name) => page.getByRole('navigation', { name: 'Conversations' }).getByRole('link').filter({ hasText: name }).first()
export const composer = (page) => page.getByRole('combobox', { name: /^Write to/ })
export const messages = (page) => page.getByRole('log').getByRole('article')
export const message = (page, text) => messages(page).filter({ hasText: text })

export async function say(page, text) {
  await composer(page).fill(text)
  // On glass Enter is a new line.
  if (await page.evaluate(() => matchMedia('(pointer: coarse)').matches)) await page.getByRole('button', { name: 'Send', exact: true }).click()
  else await composer(page).press('Enter')
}

/** A message shows this state. */
export async function stateOf(page, text, state) {
  await message(page, text).first().getByText(state, { exact: true }).first().waitFor({ state: 'attached' })
}

/** How often a text is among the messages on the screen. */
export const times = (page, text) => message(page, text).count()

/** What can be done with a message. */
export async function act(page, text, name) {
  const one = message(page, text).last()
  await one.hover()
  await one.getByRole('button', { name: 'What to do with this message' }).click()
  await page.getByRole('menuitem', { name: new RegExp(`^${name}`) }).first().click()
}
