// The lists of an account of what is said, told or kept later: read when somebody looks, and again whenever they change.

import { encodeContent, decodeContent } from '../app/wire'
import type { Said } from '../app/content'
import type { Conversation, LaterList, LaterReminder, LaterSaved, LaterScheduled, Message, Talk } from '../app/model'

export class Lists {
  scheduled = $state.raw<readonly LaterScheduled[]>()
  reminders = $state.raw<readonly LaterReminder[]>()
  saved = $state.raw<readonly LaterSaved[]>()
  /** Of what is saved: numbers below this one come next; "0": there are no more. */
  next = $state('0')
  readonly #talk: Talk
  /** Which reading of a list is the last. */
  #turn: Record<LaterList, number> = { scheduled: 0, reminders: 0, saved: 0 }

  constructor(talk: Talk) {
    this.#talk = talk
    talk.hearLater((list) => {
      // What nobody has looked at is read when somebody does.
      if (this[list]) void this.read(list).catch(() => undefined)
    })
  }

  async read(list: LaterList): Promise<void> {
    const turn = (this.#turn[list] += 1)
    if (list === 'scheduled') {
      const rows = await this.#talk.later('scheduled')
      if (turn === this.#turn.scheduled) this.scheduled = rows
    } else if (list === 'reminders') {
      const rows = await this.#talk.later('reminders')
      if (turn === this.#turn.reminders) this.reminders = rows
    } else {
      // As far as one has gone down already: what changed is no reason to begin anew.
      const wanted = this.saved?.length ?? 0
      const rows: LaterSaved[] = []
      let next = '0'
      do {
        const page = await this.#talk.later('saved', next)
        rows.push(...page.saved)
        next = page.next
      } while (next !== '0' && rows.length < wanted && turn === this.#turn.saved)
      if (turn === this.#turn.saved) [this.saved, this.next] = [rows, next]
    }
  }

  async more(): Promise<void> {
    const turn = (this.#turn.saved += 1)
    const page = await this.#talk.later('saved', this.next)
    if (turn === this.#turn.saved) [this.saved, this.next] = [[...(this.saved ?? []), ...page.saved], page.next]
  }
}

const all = new WeakMap<Talk, Lists>()
export function listsOf(talk: Talk): Lists {
  let lists = all.get(talk)
  if (!lists) all.set(talk, (lists = new Lists(talk)))
  return lists
}

/** Its entry among what is saved, as far as that was read. */
export const savedAs = (talk: Talk, conversation: string, message: Message): LaterSaved | undefined =>
  listsOf(talk).saved?.find((one) => one.conversation === conversation && one.sequence === message.sequence)

export function saidIn(content: Uint8Array): Said | undefined {
  const said = decodeContent(content)
  return said.kind === 'system' ? undefined : said
}

/** Has it said at a time; `key` names the order: the same again is the same message. */
export async function schedule(talk: Talk, conversation: Conversation, said: Said, atMs: number, answers: Message | undefined, key: Uint8Array): Promise<void> {
  const burnS = talk.burning(conversation.id)
  await talk.later('schedule', { conversation: conversation.id, content: encodeContent(burnS ? { ...said, burnS } : said), atMs, key, ...(answers ? talk.answering(conversation.id, answers) : {}) })
  const lists = listsOf(talk)
  if (!lists.scheduled) await lists.read('scheduled')
}
export const changed = (talk: Talk, number: string, said: Said): Promise<void> => talk.later('changeScheduled', number, { content: encodeContent(said) })
