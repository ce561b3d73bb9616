// Every screen of the scene: where it is and what is done there. Found by role and structure, not by words: each is shown in
// two languages. `at` are the scene's paths; `phone: false` where a screen is of a wide window alone.

import { drop, picture } from '../harness/media.mjs'

const menu = (page) => page.locator('.startalk-menu').first().waitFor()
/** The pictures that are seen have come. */
const pictured = (page) => page.waitForFunction(() => [...document.querySelectorAll('article .picture')].every((one) => one.classList.contains('there')))
const composer = (page) => page.locator('.composer textarea')
const message = (page, text) => page.getByRole('log').getByRole('article').filter({ hasText: text }).last()

async function actions(page, text) {
  const one = message(page, text)
  await one.scrollIntoViewIfNeeded()
  const box = await one.locator('.bubble').boundingBox()
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2, { button: 'right' })
  // On glass a press takes the place of the right button; the keys work everywhere.
  if (!(await page.locator('.startalk-menu').first().isVisible())) {
    await one.focus()
    await page.keyboard.press('Enter')
  }
  await menu(page)
}

async function pane(page, which) {
  const entry = page.locator('aside.details .all > ul button')
  await entry.first().waitFor()
  await entry.nth(which).click()
  await page.locator('.pane section.pane').waitFor()
  await page.waitForTimeout(400)
}

export const OUTSIDE = {
  'sign in': { path: () => '/' },
  'sign in failed': {
    path: () => '/',
    async then(page) {
      await page.locator('input[name=username]').fill('ann@nowhere.example')
      await page.locator('input[type=password]').fill('not my password')
      await page.locator('button[type=submit]').click()
      await page.locator('ol .failed').first().waitFor()
      await page.locator('button[type=submit]:not([disabled])').waitFor()
    },
  },
  recover: { path: () => '/', then: (page) => page.locator('footer button').first().click() },
  invitation: { path: (world) => world.alpha.invitation().then((secret) => `/join/${secret}`) },
  'invitation unfilled': {
    path: (world) => world.alpha.invitation().then((secret) => `/join/${secret}`),
    then: (page) => page.locator('button[type=submit]').click(),
  },
}

const settings = ['profile', 'security', 'appearance', 'notifications', 'availability', 'privacy', 'blocked', 'invite', 'account', 'about']

export const INSIDE = {
  list: { path: () => '/' },
  'group en': { path: (at) => at.launch },
  'group zh': { path: (at) => at.weekly },
  'group details': { path: (at) => `${at.launch}/details` },
  'direct code': { path: (at) => at.ada },
  'direct zh': { path: (at) => at.mei },
  'direct details': { path: (at) => `${at.priya}/details` },
  kinds: { path: (at) => at.hike, then: (page) => pictured(page) },
  'kinds above': { path: (at) => at.hike, async then(page) {
    await pictured(page)
    await page.locator('[role=log]').evaluate((log) => log.scrollBy(0, -820))
    await page.waitForTimeout(500)
    await pictured(page)
  } },
  'in full': { path: (at) => at.hike, async then(page) {
    await page.locator('[role=log]').evaluate((log) => log.scrollBy(0, -1100))
    await page.locator('.media button.one').first().click()
    await page.locator('dialog .lies img:not(.under)').waitFor()
    await page.waitForTimeout(600)
  } },
  'a record': { path: (at) => at.hike, async then(page) {
    await page.locator('button.transcript').last().click()
    await page.locator('dialog .picture.there').first().waitFor()
  } },
  'what is sent': { path: (at) => at.hike, async then(page) {
    await drop(page, 'main.conversation', [picture('one.png', 640, 480, 30), picture('two.png', 480, 640, 120), picture('three.png', 640, 400, 220)])
    await page.locator('dialog[open] li').nth(2).waitFor()
  } },
  'files of a conversation': { path: (at) => `${at.hike}/details`, async then(page) {
    await page.locator('aside.details .find button').first().click()
    await page.locator('dialog[open] .picture.there').first().waitFor()
  } },
  'what can be attached': { path: (at) => at.hike, async then(page) {
    await page.locator('.composer .box button').first().click()
    await menu(page)
  } },
  'only administrators': { path: (at) => at.news },
  'hardly anything said': { path: (at) => at.empty },
  myself: { path: (at) => at.myself },
  refused: {
    path: (at) => at.sofia,
    async then(page) {
      if ((await message(page, 'page two').count()) === 0) {
        await composer(page).fill('One more question about page two?')
        await page.keyboard.press('Control+Enter')
        await page.keyboard.press('Enter')
      }
      await page.locator('article .bad').last().waitFor()
    },
  },
  'request in place': { path: (at) => at.max },
  requests: { path: () => '/requests' },
  'message menu': { path: (at) => at.launch, then: (page) => actions(page, 'Then I will write') },
  answering: {
    path: (at) => at.launch,
    async then(page) {
      await message(page, 'Docs: two pages').focus()
      await page.keyboard.press('r')
      await composer(page).fill('Two pages of what?')
    },
  },
  'editing with tools': {
    path: (at) => at.launch,
    async then(page) {
      const tools = page.locator('.composer .format button')
      if (await tools.isVisible()) await tools.click()
      await message(page, 'Then I will write').focus()
      await page.keyboard.press('e')
    },
  },
  mention: {
    path: (at) => at.launch,
    async then(page) {
      await composer(page).pressSequentially('Thanks @a')
      await page.locator('.offers li').first().waitFor()
    },
  },
  'emoji completion': {
    path: (at) => at.weekly,
    async then(page) {
      await composer(page).pressSequentially('太好了 :hea')
      await page.locator('.offers li').first().waitFor()
    },
  },
  'emoji panel': { path: (at) => at.mei, then: (page) => page.locator('.emoji-place button').first().click() },
  selecting: {
    path: (at) => at.launch,
    async then(page) {
      await message(page, 'Docs: two pages').focus()
      await page.keyboard.press('x')
      await message(page, 'Backend: done').locator('input[type=checkbox]').click()
    },
  },
  forwarding: {
    path: (at) => at.launch,
    async then(page) {
      await message(page, 'Docs: two pages').focus()
      await page.keyboard.press('f')
      await page.locator('dialog[open]').waitFor()
    },
  },
  members: { path: (at) => `${at.launch}/details`, then: (page) => pane(page, 0) },
  'add people': { path: (at) => `${at.launch}/details`, then: (page) => pane(page, 1) },
  'group links': { path: (at) => `${at.weekly}/details`, then: (page) => pane(page, 2) },
  'group settings': {
    path: (at) => `${at.weekly}/details`,
    async then(page) {
      await page.locator('aside.details .all > ul button').first().waitFor()
      await page.locator('aside.details .all > ul button').last().click()
      await page.locator('.pane section.pane').waitFor()
    },
  },
  'group rights': {
    path: (at) => `${at.weekly}/details`,
    async then(page) {
      await page.locator('aside.details .all > ul button').first().waitFor()
      await page.locator('aside.details .all > ul button').last().click()
      await page.locator('.pane section.pane ul button').last().click()
    },
  },
  'profile card': { path: (at) => at.joint, async then(page) {
    await page.locator('.who button.name').first().click()
    await page.locator('dialog[open]').waitFor()
  } },
  search: { path: () => '/', async then(page) {
    await page.keyboard.press('Control+k')
    await page.locator('dialog[open]').waitFor()
  } },
  'search hits': { path: () => '/', async then(page) {
    await page.keyboard.press('Control+k')
    await page.locator('dialog[open] input').first().fill('release')
    await page.locator('dialog[open] mark').first().waitFor()
  } },
  'search by pinyin': { path: () => '/', async then(page) {
    await page.keyboard.press('Control+k')
    await page.locator('dialog[open] input').first().fill('cml')
    await page.locator('dialog[open] mark').first().waitFor()
  } },
  'search in a conversation': { path: (at) => at.launch, async then(page) {
    await composer(page).waitFor()
    await page.keyboard.press('Control+f')
    await page.keyboard.type('release')
    await page.waitForTimeout(1200)
  } },
  keys: { path: () => '/', async then(page) {
    await page.locator('body').press('?')
    await page.locator('dialog[open]').waitFor()
  } },
  'new conversation': { path: () => '/', async then(page) {
    await page.locator('section.list header [aria-haspopup=menu]').click()
    await menu(page)
  } },
  'new conversation dialog': { path: () => '/', async then(page) {
    await page.locator('section.list header [aria-haspopup=menu]').click()
    await page.locator('.startalk-menu-item').first().click()
    await page.locator('dialog[open]').waitFor()
  } },
  'new group': { path: () => '/', async then(page) {
    await page.locator('section.list header [aria-haspopup=menu]').click()
    await page.locator('.startalk-menu-item').nth(1).click()
    await page.locator('dialog[open] input').first().fill('Book club · 读书会')
    await page.locator('dialog[open] .known button').first().click()
    await page.locator('dialog[open] .known button').nth(1).click()
  } },
  'conversation menu': { path: () => '/', async then(page) {
    await page.locator('a[data-conversation]').nth(2).click({ button: 'right' })
    await menu(page)
  } },
  'own menu': { path: () => '/', async then(page) {
    await page.locator('.rail .self').click()
    await menu(page)
  } },
  unread: { path: () => '/', then: (page) => page.locator('.filters button').nth(1).click() },
  'nothing found': { path: () => '/', then: (page) => page.locator('section.list input[type=search]').fill('zebra') },
  settings: { path: () => '/settings' },
  ...Object.fromEntries(settings.map((s) => [`settings ${s}`, { path: () => `/settings/${s}` }])),
}

/** Last, for the connection is cut: what waits, and what is said of it. */
export const OFFLINE = {
  offline: {
    path: (at) => at.wang,
    async then(page) {
      if ((await message(page, 'Room 3').count()) === 0) {
        await composer(page).fill('会议室订好了，3 号。\nRoom 3 is ours.')
        await page.keyboard.press('Control+Enter')
        await page.keyboard.press('Enter')
      }
      await page.waitForTimeout(1500)
    },
  },
}
