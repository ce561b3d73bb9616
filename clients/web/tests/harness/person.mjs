// A person at a screen: a window with its own storage, whose faults are noted: what the policy forbade, what was asked of
// anybody but the servers of the test, what was thrown. A test fails with any of them, whatever it was about.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { DOMAINS } from './world.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const PASSWORD = 'a long enough password'

/** Sizes of a window. */
export const DESKTOP = { width: 1280, height: 800 }
export const TABLET = { width: 900, height: 1100 }
export const PHONE = { width: 390, height: 844 }

export class Window {
  constructor(context, hosts = DOMAINS) {
    this.context = context
    this.hosts = hosts
    this.faults = []
    this.asked = []
  }

  static async open(browser, options = {}) {
    const { size = DESKTOP, language = 'en', without = [], hosts, ...rest } = options
    const context = await browser.newContext({
      viewport: size,
      locale: language === 'zh' ? 'zh-CN' : 'en-GB',
      ignoreHTTPSErrors: true,
      hasTouch: size.width < 600,
      isMobile: size.width < 600,
      ...rest,
    })
    const window = new Window(context, hosts)
    await context.addInitScript(() => {
      globalThis.__violations = []
      addEventListener('securitypolicyviolation', (e) =>
        __violations.push(`${e.violatedDirective}: ${e.blockedURI || e.sample} (${e.sourceFile}:${e.lineNumber})`),
      )
    })
    // As in a browser that does not have it.
    for (const name of without) await context.addInitScript((n) => delete globalThis[n], name)
    context.on('request', (request) => window.#request(request.url()))
    context.on('page', (page) => window.#watch(page))
    return window
  }

  async page(url = 'https://alpha.test/') {
    const page = await this.context.newPage()
    page.setDefaultTimeout(15_000)
    await page.goto(url)
    return page
  }

  async check() {
    for (const page of this.context.pages()) {
      const seen = await page.evaluate(() => globalThis.__violations ?? []).catch(() => [])
      this.faults.push(...seen.map((v) => `the policy forbade ${v}`))
    }
    if (this.faults.length) throw new Error([...new Set(this.faults)].join('\n'))
  }

  async close() {
    await this.context.close()
  }

  #request(url) {
    if (/^(data|blob):/.test(url)) return
    this.asked.push(url)
    const { hostname, protocol } = new URL(url)
    if (protocol !== 'chrome-extension:' && ![...this.hosts, '127.0.0.1'].includes(hostname)) this.faults.push(`asked of a third party: ${url}`)
  }

  #watch(page) {
    page.on('pageerror', (error) => this.faults.push(`thrown: ${error.stack ?? error}`))
    page.on('console', (message) => {
      const text = message.text()
      if (/Content Security Policy|TrustedScript|TrustedHTML|TrustedTypePolicy/.test(text)) this.faults.push(`console: ${text}`)
    })
  }
}

/** What axe finds, serious and critical. Its own code is put in past the policy, which is for pages, not for the one who drives. */
export async function accessible(page, what) {
  const session = await page.context().newCDPSession(page)
  await session.send('Runtime.evaluate', { expression: axe })
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
    // What is still fading in has the contrast of that moment; what turns for ever is not waited for.
    expression: `Promise.all(document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime !== Infinity)
      .map((a) => a.finished.catch(() => {}))).then(() => axe.run(document, { resultTypes: ['violations'] }).then((r) => JSON.stringify(r.violations
      .filter((v) => v.impact === 'serious' || v.impact === 'critical')
      .map((v) => v.id + ' (' + v.impact + '): ' + v.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? '')).join('; ')))))`,
    awaitPromise: true,
  })
  await session.detach()
  if (exceptionDetails) throw new Error(`axe: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
  const found = JSON.parse(result.value)
  if (found.length) throw new Error(`${what}:\n${found.join('\n')}`)
}
