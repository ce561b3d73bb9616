// A directory as others run it: OpenLDAP's server, on loopback, with everything that it keeps in one folder; and a node's
// settings that name it.

import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const BASE = 'dc=company,dc=example'
const READER = `cn=reader,${BASE}`
const SECRET = 'reader-secret'

/** Somebody, in LDIF. */
export const somebody = (uid, cn, password) => `dn: uid=${uid},${BASE}
objectClass: inetOrgPerson
uid: ${uid}
cn: ${cn}
sn: ${cn}
userPassword: ${password}

`

export class Slapd {
  /** With these people; not started. The program is copied: a profile of the system's may hold the installed one to its own folders. */
  static async make(folder, people) {
    execFileSync('bash', [fileURLToPath(new URL('../../../../tests/e2e/install', import.meta.url))])
    const own = new Slapd()
    own.folder = folder
    mkdirSync(join(folder, 'db'), { recursive: true })
    own.program = join(folder, 'slapd')
    copyFileSync('/usr/sbin/slapd', own.program)
    own.conf = join(folder, 'slapd.conf')
    own.port = await free()
    const schemas = ['core', 'cosine', 'inetorgperson'].map((name) => `include /etc/ldap/schema/${name}.schema`).join('\n')
    writeFileSync(own.conf, `${schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${folder}/pid
argsfile ${folder}/args
database mdb
suffix "${BASE}"
directory ${folder}/db
maxsize 67108864
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${READER}" read by * none
`)
    const ldif = join(folder, 'people.ldif')
    writeFileSync(ldif, `dn: ${BASE}
objectClass: domain
dc: company

dn: ${READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: ${SECRET}

${people}`)
    execFileSync(own.program, ['-T', 'add', '-q', '-f', own.conf, '-l', ldif])
    return own
  }

  async start() {
    this.process = spawn(this.program, ['-f', this.conf, '-h', `ldap://127.0.0.1:${this.port}`, '-d', '0'], { stdio: 'ignore' })
    this.ended = new Promise((done) => this.process.once('exit', done))
    for (let tries = 0; tries < 1500; tries += 1) {
      if (await answers(this.port)) return
      if (this.process.exitCode !== null) throw new Error(`slapd ended with ${this.process.exitCode}`)
      await new Promise((done) => setTimeout(done, 20))
    }
    throw new Error('slapd does not answer')
  }

  async stop() {
    this.process?.kill('SIGKILL')
    await this.ended
  }

  /** The flags of a node that has this directory by this id, and the settings file that they name. */
  settings(id) {
    const [secret, file] = ['reader.secret', 'directory.toml'].map((name) => join(this.folder, name))
    writeFileSync(secret, SECRET)
    writeFileSync(file, `[[ldap]]
id = "${id}"
display_name = "Company"
url = "ldap://127.0.0.1:${this.port}"
base = "${BASE}"
bind_dn = "${READER}"
bind_password_file = "${secret}"
register = true
`)
    return ['--config', file]
  }
}

function free() {
  const server = createServer()
  return new Promise((done) => server.listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => done(port))
  }))
}

function answers(port) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); done(true) })
    socket.once('error', () => done(false))
  })
}
