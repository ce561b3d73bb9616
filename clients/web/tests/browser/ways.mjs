// Other ways in than a password: a real OpenID provider beside the nodes, and passkeys of an authenticator that the browser
// has for tests.

import assert from 'node:assert/strict'
import { signInThere, Login } from '../harness/oidc.mjs'
import { accessible, Window } from '../harness/person.mjs'
import { comeIn, fresh, row, say, signInAt, stateOf, talkIsReady, talkTo } from '../harness/steps.mjs'

/** Runs with a provider that alpha knows; afterwards alpha is as it was. */
async function withProvider(test, more, run) {
  const { alpha, folder } = test.world
  const usual = alpha.flags
  const login = await Login.start(alpha)
  await alpha.stop()
  alpha.flags = [...usual, ...login.settings(folder, more)]
  try {
    await alpha.start()
    await run(login)
  } finally {
    alpha.flags = usual
    await alpha.stop()
    await alpha.start()
    await login.stop().catch(() => undefined)
  }
}

async function window(test) {
  const made = await Window.open(test.browser)
  test.windows.push(made)
  return made
}

const byAcme = (page) => page.getByRole('button', { name: 'Sign in with Acme' })

async function comeByAcme(test, name) {
  const page = await (await window(test)).page()
  await byAcme(page).click()
  await signInThere(page, name)
  return page
}

/** A window whose browser has an authenticator, with fingerprints that are always right. */
async function withKeys(test) {
  const page = await (await window(test)).page()
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable')
  const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true }
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', { options })
  const all = async () => (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials
  const keys = {
    all,
    async replace(credential) {
      await session.send('WebAuthn.clearCredentials', { authenticatorId })
      await session.send('WebAuthn.addCredential', { authenticatorId, credential })
    },
    /** The finger is somebody else's. */
    refuse: () => session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false }),
  }
  return { page, keys }
}

async function account(test, name) {
  await test.world.alpha.account(name)
  return name
}

/** To another view without loading the page anew, which may take the authenticator away. */
const view = (page, path) => page.evaluate((to) => {
  history.pushState(null, '', to)
  dispatchEvent(new PopStateEvent('popstate'))
}, path)

async function addPasskey(page, name) {
  await view(page, '/settings/security')
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill(name)
  await page.getByRole('dialog').getByRole('button', { name: 'Make it' }).click()
  await page.getByText('The passkey is added.').waitFor()
  await page.getByRole('button', { name: `Remove: ${name}` }).waitFor()
}

/** Signs this device out and forgets what is kept of the account. */
async function leaveAccount(page) {
  await view(page, '/')
  await page.getByRole('button', { name: /^Accounts: / }).click()
  await page.getByRole('menuitem', { name: 'Accounts' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
}

const byPasskey = (page) => page.getByRole('button', { name: 'Sign in with a passkey' })

const me = (page) => page.evaluate(() => localStorage.getItem('startalk.account') ?? '')

export const ways = [
  {
    name: 'who signs in by a provider for the first time gets an account, and comes into the same again',
    async run(test) {
      await withProvider(test, 'register = true', async () => {
        const name = fresh('ola')
        const page = await (await window(test)).page()
        await byAcme(page).waitFor()
        await accessible(page, 'signing in, with a provider')
        await byAcme(page).click()
        await signInThere(page, name)
        await talkIsReady(page)
        assert.equal(await me(page), `${name}@alpha.test`)
        assert.equal(new URL(page.url()).hash, '', 'the ticket does not stay in the address')
        await talkTo(page, `${name}@alpha.test`)
        await say(page, 'kept with the account')
        await stateOf(page, 'kept with the account', 'Sent')
        // Another browser, which the provider does not know either.
        const other = await comeByAcme(test, name)
        await talkIsReady(other)
        assert.equal(await me(other), `${name}@alpha.test`)
        await row(other, 'kept with the account').waitFor()
        // It has no password, so there is none to change; and this is its last way in.
        await other.goto('https://alpha.test/settings/security')
        await other.getByText('This account has no password').waitFor()
        await accessible(other, 'ways into an account')
        await other.getByRole('button', { name: 'Unlink: Acme' }).click()
        await other.getByRole('dialog').getByRole('button', { name: 'Unlink' }).click()
        await other.getByText('This is the only way into this account.').waitFor()
        // It is deleted all the same, by who has just signed in.
        await other.goto('https://alpha.test/settings/account')
        await other.getByRole('button', { name: 'Delete the account' }).click()
        const sure = other.getByRole('dialog')
        await sure.getByText('This account has no password').waitFor()
        await accessible(other, 'deleting an account without a password')
        await sure.getByLabel(/^Type /).fill(`${name}@alpha.test`)
        await sure.getByRole('button', { name: 'Delete for good' }).click()
        await byAcme(other).waitFor()
        const { users } = await test.world.alpha.ask('user', 'list')
        assert.ok(!users.some((u) => u.user === `${name}@alpha.test`))
      })
    },
  },
  {
    name: 'what a provider says is taken by the window that asked, with its state and its nonce, and by nobody else',
    async run(test) {
      await withProvider(test, 'register = true', async (login) => {
        const name = fresh('ola')
        const expired = 'This sign-in was not begun in this window'
        const changed = (address, what, value) => {
          const url = new URL(address, login.issuer)
          if (url.searchParams.has(what)) url.searchParams.set(what, value)
          return address.startsWith('/') ? url.pathname + url.search : url.href
        }
        // Another state than the one that was given.
        login.onback = (url) => changed(url, 'state', 'A'.repeat(43))
        await (await comeByAcme(test, name)).getByText(expired).waitFor()
        // Another nonce: the token is for somebody else's question. Another code: it is nobody's.
        login.onback = (url) => url
        login.onasked = (url) => changed(url, 'nonce', 'B'.repeat(43))
        await (await comeByAcme(test, name)).getByText('Acme did not sign you in: invalid_token.').waitFor()
        login.onasked = (url) => url
        login.onback = (url) => changed(url, 'code', 'C'.repeat(43))
        await (await comeByAcme(test, name)).getByText('Acme did not sign you in: invalid_grant.').waitFor()
        login.onback = (url) => changed(url, 'iss', 'https://other.example')
        await (await comeByAcme(test, name)).getByText('Acme did not sign you in: wrong_issuer.').waitFor()
        // The way back, opened in another window: the ticket is of no use there, and the way is gone afterwards.
        let back = ''
        login.onback = (url) => {
          back = url
          return `${login.issuer}/nowhere`
        }
        const owner = await comeByAcme(test, name)
        await owner.waitForURL(/nowhere/)
        for (let n = 0; n < 2; n++) {
          const thief = await (await window(test)).page(back)
          await thief.getByText(expired).waitFor()
          assert.equal(await me(thief), '')
        }
        await owner.goto(back)
        await owner.getByText(expired).waitFor()
        assert.equal(await me(owner), '')
      })
    },
  },
  {
    name: 'a provider that is down, and one that says no, are said in words',
    async run(test) {
      await withProvider(test, 'register = true', async (login) => {
        const page = await (await window(test)).page()
        await byAcme(page).click()
        await page.getByRole('button', { name: 'Cancel' }).click()
        await page.getByText('Acme did not sign you in: access_denied.').waitFor()
        await login.stop()
        await test.world.alpha.stop()
        await test.world.alpha.start()
        const late = await (await window(test)).page()
        await byAcme(late).click()
        await late.getByText('Acme cannot be reached now. Try again later, or sign in another way.').waitFor()
        await accessible(late, 'a provider that is down')
      })
    },
  },
  {
    name: 'an account that is disabled is not entered by a provider either',
    async run(test) {
      await withProvider(test, 'register = true', async () => {
        const name = fresh('ola')
        await talkIsReady(await comeByAcme(test, name))
        await test.world.alpha.ask('user', 'disable', name)
        const page = await comeByAcme(test, name)
        await page.getByText('This account is disabled.').waitFor()
        assert.equal(await me(page), '')
      })
    },
  },
  {
    name: 'an account that is there is linked by its owner, not by having the same name, and people of other domains stay out',
    async run(test) {
      await withProvider(test, 'register = true\nemail_domains = ["acme.example"]', async (login) => {
        const name = fresh('ola')
        const { alpha } = test.world
        const own = await comeIn(alpha, await window(test), name)
        const before = await comeByAcme(test, name)
        await before.getByText(`You would be called ${name} here, and somebody has that name already.`).waitFor()
        await own.goto('https://alpha.test/settings/security')
        await own.getByRole('button', { name: 'Link Acme' }).click()
        await signInThere(own, name)
        await own.getByText('It is linked: you can sign in with it.').waitFor()
        await own.getByText(`${name}@acme.example`).waitFor()
        const after = await comeByAcme(test, name)
        await talkIsReady(after)
        assert.equal(await me(after), `${name}@alpha.test`)
        // Unlinked, it opens nothing any more.
        await own.getByRole('button', { name: 'Unlink: Acme' }).click()
        await own.getByRole('dialog').getByRole('button', { name: 'Unlink' }).click()
        await own.getByRole('button', { name: 'Link Acme' }).waitFor()
        await (await comeByAcme(test, name)).getByText(`You would be called ${name} here`).waitFor()
        const stranger = fresh('eve')
        login.people[stranger] = { email: `${stranger}@elsewhere.example` }
        await (await comeByAcme(test, stranger)).getByText(`${stranger}@elsewhere.example is not among those who may come in by Acme.`).waitFor()
        login.people[stranger] = { email_verified: false }
        await (await comeByAcme(test, stranger)).getByText('is not among those who may come in by Acme.').waitFor()
      })
    },
  },
  {
    name: 'a passkey is added, signs in without a name, and when it is removed it does not',
    async run(test) {
      const name = fresh('ola')
      const { page, keys } = await withKeys(test)
      await signInAt(page, test.world.alpha, await account(test, name))
      await addPasskey(page, 'my phone')
      const [kept] = await keys.all()
      assert.equal([kept.rpId, kept.isResidentCredential, kept.userName].join(), `alpha.test,true,${name}@alpha.test`)
      await leaveAccount(page)
      await byPasskey(page).click()
      await talkIsReady(page)
      assert.equal(await me(page), `${name}@alpha.test`)
      await view(page, '/settings/security')
      await page.getByText(/^Used /).waitFor()
      await page.getByRole('button', { name: 'Remove: my phone' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
      await page.getByRole('button', { name: 'Remove: my phone' }).waitFor({ state: 'hidden' })
      await leaveAccount(page)
      await byPasskey(page).click()
      await page.getByText('This passkey is not known here, was removed, or did not prove itself.').waitFor()
      await byPasskey(page).waitFor()
      // Last: it takes the authenticator away.
      await accessible(page, 'a passkey that was refused')
    },
  },
  {
    name: 'a passkey of which there is a copy lets nobody in and is marked, and no other domain can ask for it',
    async run(test) {
      const name = fresh('ola')
      const { page, keys } = await withKeys(test)
      await signInAt(page, test.world.alpha, await account(test, name))
      await addPasskey(page, 'copied')
      const [copy] = await keys.all()
      await leaveAccount(page)
      await byPasskey(page).click()
      await talkIsReady(page)
      await leaveAccount(page)
      // The copy counts from where it was taken.
      await keys.replace(copy)
      await byPasskey(page).click()
      await page.getByText('This passkey counts backwards, as a copy of it would.').waitFor()
      await signInAt(page, test.world.alpha, name)
      await view(page, '/settings/security')
      await page.getByText('It counted backwards, as a copy of it would, and was refused.').waitFor()
      await leaveAccount(page)
      // The finger of somebody else.
      await keys.refuse()
      await byPasskey(page).click()
      await page.getByText('no passkey was shown.').waitFor()
      await signInAt(page, test.world.alpha, name)
      await view(page, '/settings/security')
      await page.getByText('It counted backwards').waitFor()
      await accessible(page, 'a passkey of which there may be a copy')
      // The page of another domain asks for it: the browser does not even look.
      await page.goto('https://beta.test/')
      const asked = await page.evaluate(() => navigator.credentials
        .get({ publicKey: { challenge: new Uint8Array(32), rpId: 'alpha.test', userVerification: 'required' } })
        .then(() => 'shown', (error) => error.name))
      assert.equal(asked, 'SecurityError')
    },
  },
]
