// The push service of tests/e2e/push_service.py: RFC 8030 on loopback, with an authority of its own, which decrypts by a
// library that is none of ours. Needs Python 3 with `cryptography`; tests/run has made an environment that has it.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../../..')
/** How long something may be waited for, milliseconds; only a hang reaches it. */
const PATIENCE = 60_000

export class PushService {
  static async start(folder) {
    const made = join(root, 'target/python_peer/bin/python3')
    const python = process.env.STARTALK_PYTHON ?? (existsSync(made) ? made : 'python3')
    const service = new PushService()
    service.pushes = []
    service.made = []
    /** Pages of it that were looked at. */
    service.pages = []
    service.process = spawn(python, [join(root, 'tests/e2e/push_service.py'), folder], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: service.process.stdout })
    lines.on('line', (line) => service.#heard(JSON.parse(line)))
    await service.until(() => service.ca, 'the push service; is Python there, with the library `cryptography`?')
    return service
  }

  #heard(told) {
    if (told.ca) [this.ca, this.origin] = [told.ca, `https://127.0.0.1:${told.port}`]
    if (told.page) this.pages.push(told.page)
    if (told.push) this.pushes.push(told.push)
    if (told.subscription) this.made.push(told.subscription)
  }

  async until(holds, what) {
    for (let n = 0; n < PATIENCE / 25; n++) {
      const held = holds()
      if (held) return held
      await new Promise((soon) => setTimeout(soon, 25))
    }
    throw new Error(`it never came: ${what}`)
  }

  /** A subscription whose messages are decrypted here. */
  async subscription() {
    const before = this.made.length
    this.process.stdin.write('{"do": "subscribe"}\n')
    return this.until(() => this.made[before], 'a subscription')
  }

  /** What was sent to it, as it reads. */
  to({ endpoint }) {
    return this.pushes.filter((push) => push.endpoint === endpoint && push.status === 201).map((push) => push.plain)
  }

  end() {
    this.process?.kill()
  }
}
