// Every screen: where it is and what is done there. Contact sheets are made of them, and axe looks at each.

/** Of who is not signed in. */
export const OUTSIDE = {
  'sign in': { path: '/' },
  invitation: { path: async (world) => `/join/${await world.alpha.invitation()}` },
}

const settings = ['profile', 'security', 'appearance', 'notifications', 'availability', 'privacy', 'blocked', 'invite', 'account', 'about']

/** Of who is; `at` is the path of a conversation. */
export const INSIDE = {
  list: { path: '/' },
  conversation: { path: (_, at) => at },
  'conversation details': { path: (_, at) => `${at}/details` },
  search: { path: '/', then: (page) => page.keyboard.press('Control+k') },
  'search in a conversation': { path: (_, at) => at, then: (page) => page.keyboard.press('Control+f') },
  keys: { path: '/', then: (page) => page.locator('body').press('?') },
  'new conversation': { path: '/', then: (page) => page.locator('[aria-haspopup=menu]').first().click() },
  accounts: { path: '/', then: (page) => page.getByRole('button', { name: /^(Accounts|帐号|账号)/ }).first().click() },
  ...Object.fromEntries([['saved messages', /^(Saved messages|收藏的消息)$/], ['reminders', /^(Reminders|提醒)$/], ['scheduled messages', /^(Scheduled messages|定时消息)$/]].map(([screen, name]) => [screen, {
    path: '/',
    then: async (page) => {
      await page.getByRole('button', { name: /^(Accounts|帐号|账号)/ }).first().click()
      await page.getByRole('menuitem', { name }).click()
      await page.getByRole('dialog').getByRole('tabpanel').waitFor()
    },
  }])),
  requests: { path: '/requests' },
  settings: { path: '/settings' },
  ...Object.fromEntries(settings.map((s) => [`settings ${s}`, { path: `/settings/${s}` }])),
}

const SAID = [
  'Good morning! 早上好！',
  'A longer message, to see where lines break: the quick brown fox jumps over the lazy dog, again and again, until the line is full and the next one begins.',
  '较长的一条消息，用来看换行的位置：天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往，秋收冬藏。闰余成岁，律吕调阳。',
  '**bold**, *italic*, ~~struck~~ and `code`, with https://example.org/a/link',
  '- one\n- two\n- three',
  '> quoted before\nand an answer',
  '😀',
  'ok',
]

/** A conversation with something of everything, with oneself. Where it is. */
export async function furnish(page, { talkTo, composer, message }, me) {
  await talkTo(page, me)
  for (const text of SAID) {
    await composer(page).fill(text)
    await composer(page).press('Enter')
  }
  await message(page, 'ok').first().waitFor()
  return new URL(page.url()).pathname
}

/** Goes to a screen and waits until it stands still. */
export async function show(page, { path, then }, world, at) {
  const address = typeof path === 'function' ? await path(world, at) : path
  await page.goto(new URL(address, page.url()).href)
  await page.locator(':is(h1, h2, main, [role=log]):visible').first().waitFor()
  await page.evaluate(() => document.fonts.ready.then(() => undefined))
  await then?.(page)
  await page.waitForFunction(() => document.getAnimations().every((a) => a.playState !== 'running' || a.effect?.getComputedTiming().iterations === Infinity))
}
