// The node over plain HTTP on this machine, as behind a proxy, which can say other than the node: the client of the next
// version, a worker that cannot be loaded, a browser without what the worker needs. Secure enough for a browser: loopback.

import http from 'node:http'
import net from 'node:net'

/** Scripts have their content's hash in their names. Of another version all have others: one that kept its name would come
 * from the browser's cache as it was, with what it imports of the version before. */
const NAMED = /(assets\/|\.\/)([\w.-]+)\.js/g

export class Proxy {
  /** The files are those of the version after: the scripts under new names. */
  isNext = false
  /** No connection to the node's WebSocket. */
  isCut = false
  /** Whether a request is answered with 404; of a request its path and what it is for (`Sec-Fetch-Dest`). */
  lacks = () => false
  /** Put before the worker's script. */
  prelude = ''
  #sockets = new Set()

  static async open(node) {
    const front = new Proxy()
    front.node = node
    front.server = http.createServer((asked, answer) => void front.#pass(asked, answer))
    front.server.on('upgrade', (asked, socket, head) => front.#upgrade(asked, socket, head))
    await new Promise((done) => front.server.listen(0, '127.0.0.1', done))
    front.address = `http://127.0.0.1:${front.server.address().port}/`
    return front
  }

  cut() {
    this.isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend() {
    this.isCut = false
  }

  async close() {
    this.cut()
    await new Promise((done) => (this.server.close(done), this.server.closeAllConnections()))
  }

  async #pass(asked, answer) {
    const named = asked.url.match(NAMED)
    const isLater = asked.url.includes('-later.js')
    if (this.lacks({ path: asked.url, dest: asked.headers['sec-fetch-dest'] }) || (named && isLater !== this.isNext)) return answer.writeHead(404).end()
    const path = asked.url.replace('-later.js', '.js')
    const from = http.request({ port: this.node.port, host: '127.0.0.1', path, headers: { ...asked.headers, 'accept-encoding': 'identity', 'if-none-match': '"none"' } })
    from.on('response', async (came) => {
      const parts = []
      for await (const part of came) parts.push(part)
      let body = Buffer.concat(parts)
      if (/javascript|html/.test(came.headers['content-type'] ?? '')) {
        let text = body.toString()
        if (this.isNext) text = text.replace(/"version":"[0-9a-f]+"/, '"version":"0123456789abcdef"').replace(NAMED, '$1$2-later.js')
        if (/assets\/worker-/.test(path)) text = this.prelude + text
        body = Buffer.from(text)
      }
      answer.writeHead(came.statusCode, { ...came.headers, 'content-length': body.length }).end(body)
    })
    from.on('error', () => answer.destroy())
    asked.pipe(from)
  }

  #upgrade(asked, near, head) {
    if (this.isCut) return near.destroy()
    const far = net.connect(this.node.port, '127.0.0.1', () => {
      const lines = [`${asked.method} ${asked.url} HTTP/1.1`]
      for (let i = 0; i < asked.rawHeaders.length; i += 2) lines.push(`${asked.rawHeaders[i]}: ${asked.rawHeaders[i + 1]}`)
      far.write(`${lines.join('\r\n')}\r\n\r\n`)
      far.write(head)
      near.pipe(far).pipe(near)
    })
    for (const socket of [near, far]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => (this.#sockets.delete(socket), near.destroy(), far.destroy()))
    }
  }
}
