// A domain node as a process, as an operator runs it: started, killed, started again on its folder and port, asked by its
// command line. Between it and the browser stands a gate that can be closed: what a person calls having no connection.

import { execFile, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import net from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { front } from './front.mjs'

const run = promisify(execFile)
/** How long a node may take to say that it is up, milliseconds; only a hang reaches it. */
const START_MAX = 60_000

export class Node {
  constructor({ programs, folder, domain, displayName = domain, env = {} }) {
    this.program = join(programs, 'startalk')
    this.populate = join(programs, 'examples/populate')
    this.data = join(folder, domain)
    this.log = join(folder, `${domain}.log`)
    this.domain = domain
    this.displayName = displayName
    this.env = env
    this.port = 0
    this.peers = []
    /** More of `up`. */
    this.flags = []
    /** Of the accounts that the operator made. */
    this.passwords = new Map()
    this.gate = new Gate(this)
  }

  /** Starts it and waits until it is up. */
  async start() {
    const flags = ['--json', '--data', this.data, 'up', '--domain', this.domain, '--listen', `127.0.0.1:${this.port}`]
    flags.push('--public', `${this.domain}:443`, '--allow-private-addresses', '--display-name', this.displayName)
    for (const peer of this.peers) flags.push('--peer', peer)
    flags.push(...this.flags)
    this.process = spawn(this.program, flags, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, STARTALK_LOG: 'warn', ...this.env } })
    this.process.stderr.pipe(createWriteStream(this.log, { flags: 'a' }))
    this.ended = new Promise((end) => this.process.once('exit', (code, signal) => end({ code, signal })))
    const told = await firstLine(this.process, this.log)
    this.port = told.port
    this.told = told
    this.firstLink ??= told.first_link
    return this
  }

  async stop() {
    this.process?.kill('SIGTERM')
    const { code } = (await this.ended) ?? {}
    if (code !== 0) throw new Error(`${this.domain} stopped with ${code}; see ${this.log}`)
  }

  async kill() {
    this.process?.kill('SIGKILL')
    await this.ended
  }

  /** A verb of the command line. */
  async ask(...words) {
    const { stdout } = await run(this.program, ['--json', '--data', this.data, ...words])
    return JSON.parse(stdout)
  }

  /** A secret that makes one account. */
  async invitation() {
    const { link } = await this.ask('invite')
    return link.slice(link.lastIndexOf('/') + 1)
  }

  /** An account made by the operator. */
  async account(name) {
    const { password } = await this.ask('user', 'add', name)
    this.passwords.set(name, password)
  }

  /** WebSockets and other connections of clients, as the node counts them. */
  async connections() {
    const { stdout } = await run(this.program, ['--data', this.data, 'metrics'])
    const line = stdout.split('\n').find((l) => /^\S*connections\S* \d/.test(l))
    if (!line) throw new Error(`no connections in\n${stdout}`)
    return Number(line.split(' ').at(-1))
  }

  /** Makes accounts u0000, u0001 …, and of the first of them the group `Load`; the operator gives it a password. */
  async populated(accounts, members) {
    await this.stop()
    await run(this.populate, [this.data, String(accounts), String(members)])
    await this.start()
    const { password } = await this.ask('user', 'reset-password', 'u0000')
    this.passwords.set('u0000', password)
  }

  /** Fills a conversation of two accounts here with messages; the node is stopped for it. */
  async talk(one, other, messages) {
    await this.stop()
    const { stdout } = await run(this.populate, [this.data, 'talk', one, other, String(messages)])
    await this.start()
    return JSON.parse(stdout)
  }

  /** Everything here happened so many days earlier; the node is stopped for it. */
  async aged(days) {
    await this.stop()
    await run(this.populate, [this.data, 'age', String(days)])
    await this.start()
  }
}

async function firstLine(child, log) {
  let text = ''
  const end = new Promise((_, fail) => child.once('exit', (code) => fail(new Error(`a node ended with ${code}; see ${log}`))))
  const late = new Promise((_, fail) => setTimeout(() => fail(new Error(`a node said nothing; see ${log}`)), START_MAX).unref())
  const line = new Promise((come) =>
    child.stdout.on('data', (bytes) => {
      text += bytes
      if (text.includes('\n')) come(JSON.parse(text.slice(0, text.indexOf('\n'))))
    }),
  )
  return Promise.race([line, end, late])
}

/** A port that leads to a node, unless it is closed or holds what the node says. */
class Gate {
  constructor(node) {
    this.node = node
    const files = process.env.STARTALK_WEB_FRONT
    this.front = files && front(resolve(files), () => node.port)
    this.pairs = new Set()
    this.isOpen = true
    this.holds = false
    this.server = net.createServer((socket) => this.#accept(socket))
  }

  async open() {
    if (this.port) return
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done))
    if (this.front) await new Promise((done) => this.front.listen(0, '127.0.0.1', done))
    this.port = this.server.address().port
  }

  /** No connection, until `mend`. */
  cut() {
    this.isOpen = false
    for (const pair of this.pairs) pair.forEach((s) => s.destroy())
  }

  mend() {
    this.isOpen = true
    this.holds = false
    for (const [, far] of this.pairs) far.resume()
  }

  /** What the node says does not arrive, what the browser says does: answers are lost if the browser goes away now. */
  hold() {
    this.holds = true
    for (const [, far] of this.pairs) far.pause()
  }

  close() {
    this.cut()
    this.server.close()
    this.front?.close()
  }

  #accept(near) {
    if (!this.isOpen) return near.destroy()
    const far = net.connect(this.front ? this.front.address().port : this.node.port, '127.0.0.1')
    const pair = [near, far]
    this.pairs.add(pair)
    const end = () => {
      this.pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    for (const socket of pair) socket.setNoDelay(true).on('error', end).on('close', end)
    near.pipe(far)
    // Not piped: a pipe would resume what was paused.
    far.on('data', (bytes) => near.write(bytes))
    far.on('end', () => near.end())
    if (this.holds) far.pause()
  }
}
