// What is said later, kept for later, or told of later. Loaded when somebody asks for it first.

import type { Later, LaterReminder, LaterSaved, LaterScheduled } from './api'
import type * as pb from './made/startalk/client_pb'
import { messageRow, unhex } from './rows'
import type { Session } from './session'

/** Pages asked for at most: an account has 100 scheduled messages and some hundred reminders. */
const PAGES_MAX = 40
const SAVED = 50

export class LaterCalls implements Later {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async schedule(order: Parameters<Later['schedule']>[0]): Promise<void> {
    const group = this.#session.book.get(order.conversation)?.group !== undefined
    await this.#session.ask({
      case: 'scheduleMessage',
      value: {
        conversation: BigInt(order.conversation), content: order.content as Uint8Array<ArrayBuffer>, atMs: BigInt(order.atMs), key: order.key as Uint8Array<ArrayBuffer>,
        replyTo: unhex(group ? '' : (order.replyTo ?? '')), replySequence: BigInt(order.replySequence ?? 0),
      },
    }, 'scheduled')
  }
  async changeScheduled(number: string, change: { readonly atMs?: number; readonly content?: Uint8Array }): Promise<void> {
    const { atMs, content } = change
    await this.#session.ask({
      case: 'changeScheduled', value: { number: BigInt(number), ...(atMs === undefined ? {} : { atMs: BigInt(atMs) }), ...(content ? { content: content as Uint8Array<ArrayBuffer> } : {}) },
    }, 'scheduled')
  }
  async cancelScheduled(number: string): Promise<void> {
    await this.#session.ask({ case: 'cancelScheduled', value: { number: BigInt(number) } }, 'done')
  }
  async sendScheduled(number: string): Promise<void> {
    await this.#session.ask({ case: 'sendScheduled', value: { number: BigInt(number) } }, 'sent')
  }
  async scheduled(): Promise<readonly LaterScheduled[]> {
    const out: LaterScheduled[] = []
    let after = 0n
    for (let page = 0; page < PAGES_MAX; page++) {
      const told = await this.#session.ask({ case: 'listScheduled', value: { after } }, 'scheduledList')
      out.push(...told.scheduled.map((s) => ({ number: String(s.number), conversation: this.#of(s), to: s.to, content: s.content, atMs: Number(s.atMs), failed: s.failed })))
      after = told.next
      if (after === 0n) break
    }
    return out.sort((a, b) => a.atMs - b.atMs)
  }
  #of(s: pb.Scheduled): string {
    return s.conversation !== 0n ? String(s.conversation) : (this.#session.book.with(s.to, '')?.id ?? '0')
  }

  async remind(order: Parameters<Later['remind']>[0]): Promise<void> {
    await this.#session.ask({
      case: 'setReminder',
      value: { number: BigInt(order.number ?? 0), conversation: BigInt(order.conversation), sequence: BigInt(order.sequence), atMs: BigInt(order.atMs), note: order.note },
    }, 'reminder')
  }
  async endReminder(number: string): Promise<void> {
    await this.#session.ask({ case: 'endReminder', value: { number: BigInt(number) } }, 'done')
  }
  async reminders(): Promise<readonly LaterReminder[]> {
    const out: LaterReminder[] = []
    let after = 0n
    for (let page = 0; page < PAGES_MAX; page++) {
      const told = await this.#session.ask({ case: 'listReminders', value: { after } }, 'reminders')
      out.push(...told.reminders.map((r) => ({
        number: String(r.number), conversation: String(r.conversation), sequence: Number(r.sequence), atMs: Number(r.atMs), note: r.note, due: r.due,
        message: r.message && messageRow(r.message, String(r.conversation), this.#session.me),
      })))
      after = told.next
      if (after === 0n) break
    }
    return out.sort((a, b) => a.atMs - b.atMs)
  }

  async save(conversation: string, sequence: number, note: string): Promise<void> {
    await this.#session.ask({ case: 'saveMessage', value: { conversation: BigInt(conversation), sequence: BigInt(sequence), note } }, 'saved')
  }
  async removeSaved(number: string): Promise<void> {
    await this.#session.ask({ case: 'removeSaved', value: { number: BigInt(number) } }, 'done')
  }
  async saved(before: string): Promise<{ readonly saved: readonly LaterSaved[]; readonly next: string; readonly count: number }> {
    const told = await this.#session.ask({ case: 'listSaved', value: { before: BigInt(before), limit: SAVED } }, 'savedPage')
    return {
      saved: told.saved.map((s) => ({
        number: String(s.number), conversation: String(s.conversation), sequence: Number(s.sequence), savedMs: Number(s.savedMs), note: s.note, state: s.state,
        message: s.message && messageRow(s.message, String(s.conversation), this.#session.me),
      })),
      next: String(told.next), count: Number(told.count),
    }
  }
}
