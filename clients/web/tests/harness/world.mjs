// Two domains that know each other's keys, and a browser in which their names lead to them. The certificates are the
// nodes' own, as on a first evening at home: the browser is told to take them, everything else about them is real.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { blake3 } from './blake3.mjs'
import { Node } from './node.mjs'
import { PushService } from './push.mjs'

export const DOMAINS = ['alpha.test', 'beta.test']

export class World {
  /** `names`: of the domains, as `{ domain, displayName }`; `environment`: of their processes, by the world's folder. */
  static async make(programs, names = DOMAINS.map((domain) => ({ domain, displayName: domain })), environment = () => ({})) {
    const world = new World()
    world.folder = mkdtempSync(join(tmpdir(), 'startalk-web-'))
    const env = environment(world.folder)
    world.nodes = names.map((name) => new Node({ programs, folder: world.folder, env, ...name }))
    world.push = await PushService.start(world.folder)
    for (const node of world.nodes) node.flags = ['--push-allow-private-addresses', '--push-roots', world.push.ca, '--preview-allow-private-addresses', '--preview-roots', world.push.ca]
    const [alpha, beta] = world.nodes
    world.alpha = alpha
    world.beta = beta
    // A node makes its key when it starts first; then each is told where the other is, and its fingerprint.
    await Promise.all(world.nodes.map((node) => node.start()))
    await Promise.all(world.nodes.map((node) => node.stop()))
    const peer = (node) => `${node.domain}=127.0.0.1:${node.port}#${blake3(readFileSync(join(node.data, 'keys/root.pub'))).toString('hex')}`
    alpha.peers = [peer(beta)]
    beta.peers = [peer(alpha)]
    await Promise.all(world.nodes.map((node) => node.start()))
    await Promise.all(world.nodes.map((node) => node.gate.open()))
    return world
  }

  /** A browser of its own, with a profile that lasts as long as it: as one person's machine. */
  async browser(options = {}) {
    const rules = this.nodes.map((node) => `MAP ${node.domain}:443 127.0.0.1:${node.gate.port}`)
    return chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--disable-gpu',
        '--ignore-certificate-errors',
        // A microphone that hears a beep each second, and a person who lets the page listen.
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
        '--autoplay-policy=no-user-gesture-required',
        `--host-resolver-rules=${rules.join(', ')}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
        ...(options.args ?? []),
      ],
    })
  }

  async end(keep) {
    await Promise.allSettled(this.nodes.map((node) => node.stop().catch(() => node.kill())))
    this.nodes.forEach((node) => node.gate.close())
    this.push.end()
    if (keep) console.log(`the nodes' folders and logs are kept in ${this.folder}`)
    else rmSync(this.folder, { recursive: true, force: true })
  }
}
