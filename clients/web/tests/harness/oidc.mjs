// An OpenID provider as others run it: panva's `oidc-provider`, certified, on loopback. It knows whoever types a name, can be
// told what to say of them, and lets a test stand between it and the browser; and a node's settings that name it.

import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import Provider from 'oidc-provider'

const SECRET = 'a secret that both know'
const PLACE = '/sign-in/'

export class Login {
  /** What is said of people besides the usual, by the name that they type. */
  people = {}
  /** What the browser asks, and where it is sent back to: a test may change both. */
  onasked = (url) => url
  onback = (url) => url

  /** For the node of a domain. */
  static async start(node) {
    const login = new Login()
    let provider
    login.server = createServer((request, answer) => {
      request.url = login.onasked(request.url)
      const put = answer.setHeader.bind(answer)
      answer.setHeader = (name, value) => put(name, /^location$/i.test(name) && /\/v1\/oidc\/callback/.test(value) ? login.onback(value) : value)
      if (request.url.startsWith(PLACE)) void login.page(provider, request, answer)
      else provider.callback()(request, answer)
    })
    await new Promise((done) => login.server.listen(0, '127.0.0.1', done))
    login.port = login.server.address().port
    login.issuer = `http://127.0.0.1:${login.port}`
    const day = () => 24 * 3600
    provider = new Provider(login.issuer, {
      clients: [{
        client_id: 'startalk', client_secret: SECRET, redirect_uris: [`https://${node.domain}/v1/oidc/callback`],
        response_types: ['code'], grant_types: ['authorization_code'],
      }],
      pkce: { required: () => true },
      claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
      cookies: { keys: ['a key for cookies'] },
      jwks: { keys: [{ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'one' }] },
      ttl: { Interaction: day, Session: day, Grant: day, AccessToken: day, IdToken: day },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, { uid }) => PLACE + uid },
      // Nobody is asked what the client may know.
      async loadExistingGrant({ oidc }) {
        const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
        grant.addOIDCScope('openid profile email')
        await grant.save()
        return grant
      },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, preferred_username: id, name: id.toUpperCase(), email: `${id}@acme.example`, email_verified: true, ...login.people[id] }),
      }),
    })
    return login
  }

  /** Its own page: a name, and whether one wants to. */
  async page(provider, request, answer) {
    await provider.interactionDetails(request, answer)
    if (request.method !== 'POST') {
      answer.setHeader('content-type', 'text/html')
      answer.end('<!doctype html><html lang=en><title>Acme</title><form method=post><label>Name <input name=name></label><button>Sign in</button><button name=no value=1>Cancel</button></form>')
      return
    }
    const typed = new URLSearchParams(await text(request))
    const result = typed.get('no') ? { error: 'access_denied' } : { login: { accountId: typed.get('name') } }
    await provider.interactionFinished(request, answer, result)
  }

  /** The flags of a node that has this provider, and the settings file that they name. */
  settings(folder, more = '') {
    const secret = join(folder, 'oidc.secret')
    writeFileSync(secret, `${SECRET}\n`)
    const file = join(folder, 'sign-in.toml')
    writeFileSync(file, `[[oidc]]
id = "acme"
display_name = "Acme"
issuer = "${this.issuer}"
client_id = "startalk"
client_secret_file = "${secret}"
allow_private_addresses = true
${more}`)
    return ['--config', file]
  }

  stop() {
    this.server.closeAllConnections()
    return new Promise((done) => this.server.close(done))
  }
}

/** What a person does on the provider's own page. */
export async function signInThere(page, name) {
  await page.getByLabel('Name').fill(name)
  await page.getByRole('button', { name: 'Sign in' }).click()
}
