// What the node and the service worker give, before anybody is signed in.

import assert from 'node:assert/strict'
import http from 'node:http'
import { accessible, Window } from '../harness/person.mjs'
import { comeIn, composer, open as openTalk, signUp } from '../harness/steps.mjs'

async function open(test, options, url) {
  const window = await Window.open(test.browser, options)
  test.windows.push(window)
  return window.page(url)
}

/** Until an asynchronous question is answered with true; `waitForFunction` takes a promise itself for an answer. */
async function until(page, question) {
  for (let n = 0; n < 300; n++) {
    if (await page.evaluate(question)) return
    await page.waitForTimeout(50)
  }
  throw new Error(`it never came true: ${question}`)
}

/** The page is under the service worker, and all files are kept. */
async function kept(page) {
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
  await until(page, async () => (await caches.keys()).some((name) => name.startsWith('startalk-')))
}

/** The node over plain HTTP on this machine, where `isNext` makes its service worker that of the version after. */
async function nextVersion(node) {
  const server = http.createServer(async (asked, answer) => {
    const from = http.request({ port: node.port, host: '127.0.0.1', path: asked.url, headers: { ...asked.headers, 'accept-encoding': 'identity', 'if-none-match': '"none"' } })
    from.on('response', async (came) => {
      const parts = []
      for await (const part of came) parts.push(part)
      let body = Buffer.concat(parts)
      if (asked.url === '/sw.js' && made.isNext) body = Buffer.from(body.toString().replace(/"version":"[0-9a-f]+"/, '"version":"0123456789abcdef"'))
      answer.writeHead(came.statusCode, { ...came.headers, 'content-length': body.length }).end(body)
    })
    from.on('error', () => answer.destroy())
    from.end()
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const close = () => new Promise((done) => (server.close(done), server.closeAllConnections()))
  const made = { isNext: false, address: `http://127.0.0.1:${server.address().port}/`, close }
  return made
}

export const shell = [
  {
    name: 'the page loads from the node, under its policy, and asks nobody else',
    async run(test) {
      const page = await open(test)
      await page.waitForFunction(() => document.querySelector('#app').childNodes.length > 0)
      const { headers } = await page.evaluate(async () => {
        const answer = await fetch('/')
        return { headers: Object.fromEntries(answer.headers) }
      })
      assert.match(headers['content-security-policy'], /require-trusted-types-for 'script'/)
      assert.equal(await page.evaluate(() => isSecureContext), true)
      await test.windows[0].check()
      // From here on the policy is broken on purpose.
      const forbidden = await page.evaluate(() => {
        try {
          document.body.innerHTML = '<b>text as markup</b>'
          return false
        } catch {
          return true
        }
      })
      assert.equal(forbidden, true, 'Trusted Types are enforced')
      await page.evaluate(() => (globalThis.__violations = []))
      test.windows[0].faults.length = 0
    },
  },
  {
    name: 'what was loaded opens without a connection, at any address of the client',
    async run(test) {
      const page = await open(test)
      await kept(page)
      test.world.alpha.gate.cut()
      for (const address of ['/', '/join/abcdef', '/settings']) {
        await page.goto(`https://alpha.test${address}`)
        await page.waitForFunction(() => document.querySelector('#app').childNodes.length > 0)
      }
    },
  },
  {
    name: 'a new version waits until the person takes it',
    async run(test) {
      const server = await nextVersion(test.world.alpha)
      try {
        const page = await open(test, {}, server.address)
        await kept(page)
        server.isNext = true
        await page.evaluate(async () => (await navigator.serviceWorker.ready).update())
        await until(page, async () => (await navigator.serviceWorker.ready).waiting !== null)
        await page.evaluate(() => (globalThis.__same = true))
        // Others, such as what the service worker knows of the language, are not versions.
        const versions = () => page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith('startalk-')))
        assert.equal((await versions()).length, 2, 'both versions are kept, whole')
        assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.ready).waiting?.state), 'installed')
        await page.evaluate(async () => (await navigator.serviceWorker.ready).waiting.postMessage('apply'))
        await until(page, async () => (await navigator.serviceWorker.ready).waiting === null)
        assert.equal(await page.evaluate(() => globalThis.__same), true, 'nothing was loaded anew by itself')
        assert.equal((await versions()).length, 2, 'the version before stays for other tabs')
      } finally {
        await server.close()
      }
    },
  },
  {
    name: 'without script there are pages without script',
    async run(test) {
      const page = await open(test, { javaScriptEnabled: false }, 'https://alpha.test/')
      await page.waitForURL('**/?plain')
      await page.getByText('JavaScript').waitFor()
      const secret = await test.world.alpha.invitation()
      await page.goto(`https://alpha.test/join/${secret}`)
      await page.waitForURL(`**/join/${secret}?plain`)
      await page.getByLabel('Name', { exact: true }).fill('plain')
      await page.getByLabel('Password', { exact: true }).fill('a long enough password')
      await page.getByLabel('Password, once more').fill('a long enough password')
      await page.getByRole('button', { name: 'Make the account' }).click()
      await page.getByText('plain@alpha.test').first().waitFor()
      // A link into a group leads to a page that says what is missing, and stays there.
      await page.goto('https://alpha.test/group/abcdefghijklmnopqrstuvwxyz')
      await page.getByText('JavaScript').waitFor()
      assert.match(page.url(), /\/group\/[a-z]+\?plain$/)
    },
  },
  {
    name: 'a link says what it gives before a form is filled in: an administrator, who invites, or that it was used; and brings into a group',
    async run(test) {
      const { link } = await test.world.alpha.ask('invite', '--administrator')
      const window = await Window.open(test.browser)
      test.windows.push(window)
      const page = await window.page(`https://alpha.test/join/${link.slice(link.lastIndexOf('/') + 1)}`)
      await page.getByRole('heading', { name: 'You are to be the administrator of' }).waitFor()
      const hosts = await Window.open(test.browser)
      test.windows.push(hosts)
      const host = await comeIn(test.world.alpha, hosts, 'hostess')
      await host.getByRole('button', { name: 'New conversation' }).first().click()
      await host.getByRole('menuitem', { name: 'New group' }).click()
      await host.getByRole('dialog').getByLabel('Name', { exact: true }).fill('Guests of hers')
      await host.getByRole('button', { name: 'Make the group' }).click()
      await composer(host).waitFor()
      await host.goto('https://alpha.test/settings/invite')
      await host.getByRole('checkbox', { name: 'Guests of hers' }).check()
      await accessible(host, 'an invitation by somebody who is no administrator')
      await host.getByRole('button', { name: 'Make a link' }).click()
      const shown = await host.getByText(/\/join\/[\w-]{20,}/).textContent()
      const secret = shown.trim().slice(shown.trim().lastIndexOf('/') + 1)
      await page.goto(`https://alpha.test/join/${secret}`)
      await page.getByText('(hostess@alpha.test) invites you.').waitFor()
      await openTalk(await signUp(test.world.alpha, window, 'invitee', secret), 'Guests of hers')
      const last = await Window.open(test.browser)
      test.windows.push(last)
      const later = await last.page(`https://alpha.test/join/${secret}`)
      await later.getByText('This link was used, has expired or is wrong.').waitFor()
      assert.equal(await later.getByLabel('Password', { exact: true }).count(), 0, 'no form for a link that gives nothing')
    },
  },
  {
    name: 'it can be installed: the manifest and its icons are there',
    async run(test) {
      const page = await open(test)
      const manifest = await page.evaluate(async () => {
        const answer = await fetch(document.querySelector('link[rel=manifest]').href)
        return { kind: answer.headers.get('content-type'), ...(await answer.json()) }
      })
      assert.equal(manifest.kind, 'application/manifest+json')
      assert.ok(manifest.icons.some((i) => i.sizes === '512x512' && i.purpose === 'maskable'))
      for (const icon of manifest.icons) {
        const seen = await page.evaluate(async ({ src }) => {
          const image = await createImageBitmap(await (await fetch(src)).blob()).catch(() => null)
          return image && [image.width, image.height]
        }, icon)
        if (icon.type === 'image/png') assert.deepEqual(seen, icon.sizes.split('x').map(Number), icon.src)
      }
    },
  },
]
