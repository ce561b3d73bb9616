// Being told while no page is open: from the node, over a push service, into Chromium's service worker. The browser here has
// no push service that it could reach: what subscribes is put in its place, and what came is handed to the browser as its
// own push service would, past encryption, which the push service of the tests undid.

import assert from 'node:assert/strict'
import { accessible, PHONE, Window } from '../harness/person.mjs'
import { act, comeIn, composer, fresh, say, talkIsReady, talkTo } from '../harness/steps.mjs'

/** A person whose browser has a push service, named by `subscription`. */
async function reachable(test, name, subscription, options = {}) {
  const window = await Window.open(test.browser, options)
  test.windows.push(window)
  await window.context.grantPermissions(['notifications'], { origin: 'https://alpha.test' })
  await window.context.addInitScript(({ endpoint, p256dh, auth }) => {
    const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)).buffer
    const made = { endpoint, getKey: (which) => bytes(which === 'auth' ? auth : p256dh), unsubscribe: async () => true }
    PushManager.prototype.subscribe = async function (asked) {
      if (!asked.userVisibleOnly || new Uint8Array(asked.applicationServerKey).length !== 65) throw new TypeError('asked wrongly')
      localStorage.setItem('test.subscribed', '1')
      return made
    }
    PushManager.prototype.getSubscription = async () => (localStorage.getItem('test.subscribed') ? made : null)
  }, subscription)
  const page = await comeIn(test.world.alpha, window, name)
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
  return { page, window, name }
}

async function turnOn({ page }) {
  await page.goto('https://alpha.test/settings/notifications')
  const on = page.getByRole('switch', { name: 'Tell of new messages' })
  await on.click()
  await page.getByText('This device is told even while Startalk is closed.').waitFor()
}

/** Hands a message to the browser as its push service would. */
async function deliverer(page) {
  const session = await page.context().newCDPSession(page)
  let registration
  session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
    registration = registrations.find((one) => one.scopeURL === 'https://alpha.test/' && !one.isDeleted)?.registrationId ?? registration
  })
  await session.send('ServiceWorker.enable')
  for (let n = 0; n < 200 && !registration; n++) await page.waitForTimeout(25)
  return (data) => session.send('ServiceWorker.deliverPushMessage', { origin: 'https://alpha.test', registrationId: registration, data })
}

const worker = (context) => context.serviceWorkers().find((one) => one.url() === 'https://alpha.test/sw.js')
const shown = (context) => worker(context).evaluate(async () => (await self.registration.getNotifications()).map(({ title, body, tag, data }) => ({ title, body, tag, data })))

async function until(page, what, question) {
  for (let n = 0; n < 400; n++) {
    const answer = await question()
    if (answer) return answer
    await page.waitForTimeout(25)
  }
  throw new Error(`it never came: ${what}`)
}

export const push = [
  {
    name: 'pushes: turned on by a click, shown in the language chosen, one for a conversation, and a click opens it',
    async run(test) {
      const { alpha, push: service } = test.world
      const subscription = await service.subscription()
      const [bobs, alices] = [fresh('pushed'), fresh('pusher')]
      const bob = await reachable(test, bobs, subscription)
      const other = await Window.open(test.browser)
      test.windows.push(other)
      const alice = await comeIn(alpha, other, alices)

      await turnOn(bob)
      await accessible(bob.page, 'settings of notifications')
      await bob.page.goto('https://alpha.test/settings/appearance')
      await bob.page.getByLabel('中文').check({ force: true })
      await bob.page.getByRole('heading', { name: '外观' }).waitFor()
      await until(bob.page, 'the service worker knows the language', () => bob.page.evaluate(async () => (await (await caches.open('told')).match('/language'))?.text().then((t) => t === 'zh')))
      const deliver = await deliverer(bob.page)
      // Nobody looks at the client: the page that is left shows something else.
      await bob.page.goto('about:blank')

      await talkTo(alice, `${bobs}@alpha.test`)
      await say(alice, 'the first 你好')
      await service.until(() => service.to(subscription).length >= 1, 'the first push')
      await say(alice, 'the second')
      await service.until(() => service.to(subscription).length >= 2, 'the second push')
      for (const plain of service.to(subscription)) await deliver(plain)
      const { context } = bob.window
      const one = await until(bob.page, 'a notification', async () => (await shown(context)).find((n) => n.body.startsWith('the second')))
      assert.equal((await shown(context)).length, 1, 'one for a conversation')
      assert.deepEqual([one.title, one.body, one.tag], [alices, 'the second\n2 条新消息', `${bobs}@alpha.test ${one.data.conversation}`])
      assert.deepEqual(service.pushes.filter((p) => p.wrong), [])

      // Where a click leads: a new window, or the one that is there.
      await bob.page.goto(`https://alpha.test${one.data.path}`)
      await composer(bob.page).waitFor().catch(() => {})
      await bob.page.getByRole('log').getByText('the second').waitFor()
      assert.equal(new URL(bob.page.url()).pathname, `/c/${one.data.conversation}`)
      assert.equal(new URL(bob.page.url()).search, '')
      await until(bob.page, 'what was read is told no more', async () => (await shown(context)).length === 0)
      await bob.page.goto('https://alpha.test/settings')
      await bob.page.getByRole('heading', { name: '设置' }).first().waitFor()
      await worker(context).evaluate(async (data) => {
        await self.registration.showNotification('clicked', { tag: 'x', data })
        const [notification] = await self.registration.getNotifications({ tag: 'x' })
        self.dispatchEvent(new NotificationEvent('notificationclick', { notification }))
      }, one.data)
      await bob.page.waitForURL(`https://alpha.test/c/${one.data.conversation}`)
    },
  },
  {
    name: 'pushes: what was taken back goes, hidden content stays hidden, keywords are kept on the server',
    async run(test) {
      const { alpha, push: service } = test.world
      const subscription = await service.subscription()
      const [bobs, alices] = [fresh('pushed'), fresh('pusher')]
      const bob = await reachable(test, bobs, subscription, { size: PHONE })
      const other = await Window.open(test.browser)
      test.windows.push(other)
      const alice = await comeIn(alpha, other, alices)
      await turnOn(bob)
      const { page } = bob
      await page.getByRole('switch', { name: 'Send no names and no text' }).click()
      await page.getByLabel('Keywords').fill('budget')
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      await page.getByRole('button', { name: 'Remove budget' }).waitFor()
      await page.reload()
      await page.getByRole('button', { name: 'Remove budget' }).waitFor()
      await accessible(page, 'settings of notifications on a phone')
      const deliver = await deliverer(page)
      await page.goto('about:blank')

      await talkTo(alice, `${bobs}@alpha.test`)
      await say(alice, 'a secret that is taken back')
      const [plain] = await service.until(() => service.to(subscription)[0] && service.to(subscription), 'a push')
      assert.doesNotMatch(plain, /secret|pusher/)
      await deliver(plain)
      const { context } = bob.window
      const one = await until(page, 'a notification', async () => (await shown(context))[0])
      assert.deepEqual([one.title, one.body], ['Startalk', 'New message'])
      await act(alice, 'taken back', 'Recall')
      await alice.getByRole('dialog').getByRole('button', { name: 'Recall' }).click()
      const withdrawal = await service.until(() => service.to(subscription)[1], 'a withdrawal')
      assert.equal(JSON.parse(withdrawal).do, 'withdraw')
      await deliver(withdrawal)
      await until(page, 'nothing is shown any more', async () => (await shown(context)).length === 0)

      // Turned off: the node sends no more.
      await page.goto('https://alpha.test/settings/notifications')
      await page.getByRole('switch', { name: 'Tell of new messages' }).click()
      await until(page, 'the node has forgotten the device', async () => !(await page.getByText('This device is told even').isVisible()))
      await say(alice, 'to nobody')
      await talkIsReady(alice)
      assert.equal(service.to(subscription).length, 2)
    },
  },
]
