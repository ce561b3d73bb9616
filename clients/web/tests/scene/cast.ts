// The people of a scene, each with a client of their own: the SDK in Node, on real nodes.

import type { ConversationRow, GroupInvitationRow, MessageRow } from '../../src/sdk/api'
import type { Said } from '../../src/app/content'
import { toContent } from '../../src/app/composer/markup'
import { encodeContent } from '../../src/app/wire'
import { Person } from '../sdk/people'

/** What `tests/harness/node.mjs` is, as far as a scene needs it. */
export interface Home {
  readonly domain: string
  readonly port: number
  readonly passwords: Map<string, string>
  account(name: string): Promise<void>
}

export interface Answered { readonly sequence: number; readonly id: string }

export class Actor extends Person {
  constructor(readonly home: Home, readonly name: string, readonly shown: string, readonly signature = '') {
    super(() => `http://127.0.0.1:${home.port}`)
  }

  /** An account that the operator made, signed in, with its profile. */
  async enter(): Promise<this> {
    await this.home.account(this.name)
    await this.begin()
    const password = this.home.passwords.get(this.name) ?? ''
    this.user = (await this.host.enter({ kind: 'password', name: this.name, domain: '', password, device: 'Firefox on Linux' }, () => undefined)).user
    await this.calls.setProfile(this.shown, '', this.signature)
    return this
  }

  /** Longer than a test would: a scene is played on machines that do other things, and only a hang has no end. */
  override async until<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
    for (let again = 3; again > 0; again--) {
      try {
        return await super.until(what, look)
      } catch {
        // once more
      }
    }
    return super.until(what, look)
  }

  /** The conversation with a person, or the group of that name, when it is there. */
  find(whom: Actor | string): Promise<ConversationRow> {
    const name = typeof whom === 'string' ? whom : whom.shown
    return this.until(`the conversation ${name}`, () => this.there(whom))
  }
  there(whom: Actor | string): ConversationRow | undefined {
    return typeof whom === 'string' ? [...this.conversations.values()].find((c) => c.group?.name === whom) : this.talkWith(whom.user)
  }

  /** Writes as one types, with @names of people; ends when the message has its number. */
  async say(whom: Actor | string, typed: string, answers?: Answered, calls: readonly Actor[] = []): Promise<MessageRow> {
    const id = typeof whom === 'string' ? (await this.find(whom)).id : (this.there(whom)?.id ?? (await this.calls.open(whom.user)))
    const mentions = new Map<string, string>(calls.map((one) => [`@${one.shown}`, one.user]))
    if (typed.includes('@everybody')) mentions.set('@everybody', '@all')
    if (typed.includes('@所有人')) mentions.set('@所有人', '@all')
    const said = toContent(typed, mentions)
    if (!said) throw new Error('nothing is said')
    return this.#send(id, said, typed, whom, answers)
  }
  /** What is more than words. */
  async show(group: string, said: Said): Promise<MessageRow> {
    return this.#send((await this.find(group)).id, said, said.kind, group)
  }
  async #send(id: string, said: Said, typed: string, whom: Actor | string, answers?: Answered): Promise<MessageRow> {
    const order = answers ? (typeof whom === 'string' ? { replySequence: answers.sequence } : { replyTo: answers.id }) : {}
    const sent = await this.calls.send({ ticket: crypto.randomUUID(), conversation: id, content: encodeContent(said), ...order })
    return this.until(`“${typed.slice(0, 20)}” being taken`, async () => {
      const now = (await this.calls.stretch(id, { at: 'latest' }, 50)).messages.find((m) => m.key === sent.key)
      return now && now.own !== 'pending' && now.own !== 'waiting' && now
    })
  }

  async edit(whom: Actor | string, message: Answered, typed: string): Promise<void> {
    const said = toContent(typed)
    if (said) await this.calls.edit((await this.find(whom)).id, message.sequence, encodeContent(said))
  }
  async recall(whom: Actor | string, message: Answered): Promise<void> {
    await this.calls.recall((await this.find(whom)).id, message.sequence)
  }
  /** A group's member reacts; the message has to have come. */
  async react(group: string, message: Answered, emoji: string): Promise<void> {
    const { id } = await this.find(group)
    await this.until('the message', () => (this.there(group)?.head ?? 0) >= message.sequence)
    await this.calls.act(id, { kind: 'react', sequence: message.sequence, emoji, remove: false })
  }
  async read(whom: Actor | string): Promise<void> {
    const row = await this.find(whom)
    await this.calls.markRead(row.id, row.head)
    await this.until('nothing unread', () => this.there(whom)?.unread === 0)
  }
  async join(group: string): Promise<void> {
    if (this.there(group)) return
    // Who is of the group's own domain is in it without being asked.
    const invitation = await this.until<GroupInvitationRow | 'in'>(`the way into ${group}`, async () =>
      this.there(group) ? 'in' : (await this.calls.groupInvitations()).find((one) => one.name === group))
    if (invitation !== 'in') await this.calls.decideInvitation(invitation.group, true)
    await this.until(`being in ${group}`, () => this.there(group)?.group?.standing === 'member')
  }
}
