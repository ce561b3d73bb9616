// The client as it lies in `dist`, before a node that has another one in it (or none): so that one who works on the client
// alone need not build a node for each look. The page's files and the node's own policy for them; all else is the node's.
// Used if STARTALK_WEB_FRONT names the folder of files.

import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { spawnSync } from 'node:child_process'
import tls from 'node:tls'

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png', '.webmanifest': 'application/manifest+json' }
const NODES = /^\/(v1|api|files|\.well-known)\//

let made
/** A certificate for as long as the tests run. */
function certificate() {
  if (made) return made
  const folder = mkdtempSync(join(tmpdir(), 'startalk-front-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const done = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=front', '-keyout', key, '-out', cert])
  if (done.status !== 0) throw new Error(`openssl ended with ${done.status ?? done.error}`)
  made = { key: readFileSync(key), cert: readFileSync(cert) }
  rmSync(folder, { recursive: true })
  return made
}

/** A server that does not listen yet; `port` is the node's. */
export function front(folder, port) {
  let policy
  const ask = (request, response) => {
    const { method, url, headers } = request
    const far = https.request({ host: '127.0.0.1', port: port(), method, path: url, headers, rejectUnauthorized: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers)
      answer.pipe(response)
    })
    far.on('error', () => response.destroy())
    request.pipe(far)
  }
  const headersOf = () => (policy ??= new Promise((done, fail) =>
    https.get({ host: '127.0.0.1', port: port(), path: '/', rejectUnauthorized: false }, (answer) => {
      answer.resume()
      done(Object.fromEntries(['content-security-policy', 'cross-origin-opener-policy', 'permissions-policy'].flatMap((h) => (answer.headers[h] ? [[h, answer.headers[h]]] : []))))
    }).on('error', fail)))
  const server = https.createServer(certificate(), (request, response) => {
    const { pathname } = new URL(request.url, 'https://front')
    if (NODES.test(pathname)) return ask(request, response)
    let path = join(folder, pathname)
    if (!path.startsWith(folder) || !existsSync(path) || !statSync(path).isFile()) path = join(folder, 'index.html')
    headersOf().then((headers) => {
      response.writeHead(200, { ...headers, 'content-type': TYPES[extname(path)] ?? 'application/octet-stream', 'cache-control': 'no-cache' })
      createReadStream(path).pipe(response)
    }, () => response.destroy())
  })
  server.on('upgrade', (request, near, head) => {
    const far = tls.connect({ host: '127.0.0.1', port: port(), rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }, () => {
      far.write(`${request.method} ${request.url} HTTP/1.1\r\n${request.rawHeaders.reduce((all, one, i) => all + one + (i % 2 ? '\r\n' : ': '), '')}\r\n`)
      far.write(head)
      near.pipe(far).pipe(near)
    })
    for (const one of [near, far]) for (const what of ['error', 'close']) one.on(what, () => { near.destroy(); far.destroy() })
  })
  return server
}
