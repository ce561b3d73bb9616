// What is heard now: one voice message at a time, wherever one looks meanwhile. When it ends, the next one that was not
// heard yet follows.

import type { SaidOf } from '../app/content'
import type { Message, Talk } from '../app/model'
import { doorOf, localOf, type Place } from '../files/door.svelte'
import { told } from '../rooms/node'
import type { Told } from '../words/errors.svelte'

export const SPEEDS = [1, 1.5, 2] as const
const KEPT_SPEED = 'startalk.voice.speed'
const KEPT_HEARD = 'startalk.voice.heard'
/** Voice messages that are known to have been heard. */
const HEARD_MAX = 2000
/** Where a recording of a browser, which does not say how long it is, is asked to go, so that it is looked through. */
const FAR_S = 1e7

export interface Heard {
  readonly key: string
  readonly said: SaidOf<'voice'>
  readonly talk: Talk
  readonly place: Place
  /** The messages among which the next is looked for; none for one inside of another. */
  readonly among?: (() => readonly Message[]) | undefined
  readonly message?: Message | undefined
}

class Player {
  now = $state.raw<Heard>()
  playing = $state(false)
  loading = $state(false)
  /** Milliseconds. */
  at = $state(0)
  speed = $state<number>(Number(localStorage.getItem(KEPT_SPEED)) || 1)
  problem = $state.raw<Told>()
  #heard = $state.raw<ReadonlySet<string>>(new Set(keptHeard()))
  #audio: HTMLAudioElement | undefined
  #url = ''
  /** One that was made to be played may not be what is wanted any more. */
  #wanted = 0

  heard(key: string): boolean {
    return this.#heard.has(key)
  }
  #note(key: string): void {
    if (this.#heard.has(key)) return
    this.#heard = new Set([...this.#heard, key].slice(-HEARD_MAX))
    localStorage.setItem(KEPT_HEARD, JSON.stringify([...this.#heard]))
  }

  async toggle(what: Heard): Promise<void> {
    if (this.now?.key === what.key && this.#audio && !this.problem) {
      if (this.playing) this.#audio.pause()
      else await this.#audio.play().catch((error: unknown) => this.#failed(error))
      return
    }
    await this.play(what)
  }

  async play(what: Heard, fromMs = 0): Promise<void> {
    const wanted = ++this.#wanted
    this.stop()
    this.now = what
    this.at = fromMs
    this.problem = undefined
    this.loading = true
    try {
      const url = localOf(what.said.file.hash) ?? URL.createObjectURL(await doorOf(what.talk).bytes(what.place, what.said.file))
      if (wanted !== this.#wanted) return
      this.#url = url
      const audio = new Audio()
      this.#audio = audio
      audio.preload = 'auto'
      audio.src = url
      await ready(audio)
      if (wanted !== this.#wanted) return
      audio.playbackRate = this.speed
      if (fromMs > 0) audio.currentTime = fromMs / 1000
      audio.onplay = () => (this.playing = true)
      audio.onpause = () => (this.playing = false)
      audio.ontimeupdate = () => (this.at = audio.currentTime * 1000)
      audio.onended = () => this.#ended()
      await audio.play()
      this.#note(what.key)
      if (what.message && !what.message.mine) what.talk.markPlayed(what.place.conversation, what.message)
      this.#follow()
    } catch (error) {
      if (wanted === this.#wanted) this.#failed(error)
    } finally {
      if (wanted === this.#wanted) this.loading = false
    }
  }
  /** The time of day is too coarse for a line that moves. */
  #follow(): void {
    const audio = this.#audio
    const step = () => {
      if (!audio || audio !== this.#audio || audio.paused) return
      this.at = audio.currentTime * 1000
      requestAnimationFrame(step)
    }
    requestAnimationFrame(step)
    if (audio) audio.addEventListener('play', () => requestAnimationFrame(step))
  }
  #failed(error: unknown): void {
    this.playing = false
    this.problem = (error as Error).name === 'NotSupportedError' ? { code: 'cannot-play' } : told(error)
  }
  #ended(): void {
    const before = this.now
    this.playing = false
    this.at = 0
    const all = before?.among?.() ?? []
    const from = all.findIndex((one) => one.key === before?.message?.key)
    const next = before && from >= 0 ? all.slice(from + 1).find((one) => one.said.kind === 'voice' && !one.mine && !one.said.burnS && !one.recalled && !one.expired && !one.played && !this.heard(keyOf(before.talk, { conversation: before.place.conversation, sequence: one.sequence }, one))) : undefined
    if (!before || !next || next.said.kind !== 'voice') {
      this.stop()
      return
    }
    const place = { conversation: before.place.conversation, sequence: next.sequence }
    void this.play({ ...before, key: keyOf(before.talk, place, next), said: next.said, place, message: next })
  }

  seek(what: Heard, ms: number): void {
    if (this.now?.key !== what.key || !this.#audio) {
      void this.play(what, ms)
      return
    }
    this.#audio.currentTime = Math.min(ms, what.said.durationMs) / 1000
    this.at = ms
  }
  faster(): void {
    this.speed = SPEEDS[(SPEEDS.indexOf(this.speed as 1) + 1) % SPEEDS.length] ?? 1
    localStorage.setItem(KEPT_SPEED, String(this.speed))
    if (this.#audio) this.#audio.playbackRate = this.speed
  }
  stop(): void {
    const audio = this.#audio
    this.#audio = undefined
    if (audio) {
      audio.onpause = audio.onended = audio.ontimeupdate = null
      audio.pause()
      audio.removeAttribute('src')
    }
    if (this.#url && this.#url !== localOf(this.now?.said.file.hash ?? new Uint8Array())) URL.revokeObjectURL(this.#url)
    this.#url = ''
    this.playing = false
    this.now = undefined
    this.at = 0
  }
}
export const player = new Player()

export const keyOf = (talk: Pick<Talk, 'me'>, place: Place, message: Pick<Message, 'key'> | undefined): string =>
  `${talk.me} ${place.conversation} ${place.sequence > 0 ? place.sequence : (message?.key ?? '')}`

function keptHeard(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT_HEARD) ?? '[]')
    return Array.isArray(kept) ? kept.filter((one): one is string => typeof one === 'string') : []
  } catch {
    return []
  }
}

/** Ends when it can be played, and can be gone to any place of: a recording in WebM says only at its end how long it is. */
async function ready(audio: HTMLAudioElement): Promise<void> {
  await new Promise<void>((done, fail) => {
    audio.onloadedmetadata = () => done()
    audio.onerror = () => fail(new DOMException('', 'NotSupportedError'))
  })
  audio.onerror = null
  if (Number.isFinite(audio.duration)) return
  await new Promise<void>((done) => {
    const end = () => { audio.ondurationchange = audio.onseeked = audio.onerror = null; done() }
    audio.ondurationchange = () => { if (Number.isFinite(audio.duration)) end() }
    audio.onseeked = end
    audio.onerror = end
    audio.currentTime = FAR_S
  })
  audio.currentTime = 0
}
