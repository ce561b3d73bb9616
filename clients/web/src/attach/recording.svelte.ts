// A voice message while it is spoken: what the microphone hears, how loud it is, and for how long.

import { waveformOf } from '../kinds/waveform'

/** As long as a message by voice may be. */
export const VOICE_MS_MAX = 5 * 60 * 1000
/** Shorter ones were a slip of the finger. */
export const VOICE_MS_MIN = 700
const LEVEL_MS = 50
/** Of bits a second: speech, well. */
const BITS = 32_000
/** In the order in which they are preferred: what all browsers play comes first where it is made. */
const TYPES = ['audio/webm;codecs=opus', 'audio/mp4;codecs=mp4a.40.2', 'audio/mp4', 'audio/webm', 'audio/ogg;codecs=opus']

export const canRecord = (): boolean => typeof MediaRecorder === 'function' && typeof navigator.mediaDevices?.getUserMedia === 'function'

export interface Spoken { readonly blob: Blob; readonly name: string; readonly durationMs: number; readonly waveform: Uint8Array }

export class Recording {
  state = $state<'asking' | 'on' | 'over'>('asking')
  elapsed = $state(0)
  /** 0 to 1 each, as they were heard. */
  levels = $state.raw<readonly number[]>([])
  onlimit: (() => void) | undefined
  #stream: MediaStream | undefined
  #recorder: MediaRecorder | undefined
  #context: AudioContext | undefined
  #timer: ReturnType<typeof setInterval> | undefined
  #began = 0
  readonly #parts: Blob[] = []

  /** Throws what the browser says, if it may not listen. */
  async begin(): Promise<void> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 } })
    if (this.state === 'over') return stop(stream)
    this.#stream = stream
    const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one))
    const recorder = new MediaRecorder(stream, { audioBitsPerSecond: BITS, ...(type ? { mimeType: type } : {}) })
    this.#recorder = recorder
    recorder.ondataavailable = (event) => { if (event.data.size > 0) this.#parts.push(event.data) }
    recorder.start(1000)
    this.#listen(stream)
    this.#began = performance.now()
    this.state = 'on'
    this.#timer = setInterval(() => {
      this.elapsed = performance.now() - this.#began
      if (this.elapsed >= VOICE_MS_MAX) this.onlimit?.()
    }, 100)
  }
  #listen(stream: MediaStream): void {
    const context = new AudioContext()
    const analyser = context.createAnalyser()
    analyser.fftSize = 1024
    context.createMediaStreamSource(stream).connect(analyser)
    this.#context = context
    const samples = new Float32Array(analyser.fftSize)
    const hear = () => {
      if (this.state === 'over') return
      analyser.getFloatTimeDomainData(samples)
      let sum = 0
      for (const one of samples) sum += one * one
      // As loud as people hear it, not as much as it is.
      this.levels = [...this.levels, Math.min(1, Math.sqrt(Math.sqrt(sum / samples.length)) * 1.6)]
      setTimeout(hear, LEVEL_MS)
    }
    setTimeout(hear, LEVEL_MS)
  }

  /** What was spoken; undefined: it was hardly anything. */
  async finish(): Promise<Spoken | undefined> {
    const recorder = this.#recorder
    const durationMs = Math.round(Math.min(VOICE_MS_MAX, performance.now() - this.#began))
    if (!recorder || this.state !== 'on') {
      this.cancel()
      return undefined
    }
    this.state = 'over'
    if (recorder.state !== 'inactive') {
      const ended = new Promise<void>((done) => (recorder.onstop = () => done()))
      recorder.stop()
      await ended
    }
    this.#shut()
    if (durationMs < VOICE_MS_MIN) return undefined
    const type = (recorder.mimeType || this.#parts[0]?.type || 'audio/webm').split(';')[0] as string
    const end = type.endsWith('mp4') ? 'm4a' : type.endsWith('ogg') ? 'ogg' : 'webm'
    return { blob: new Blob(this.#parts, { type }), name: `voice.${end}`, durationMs, waveform: waveformOf(this.levels) }
  }
  cancel(): void {
    this.state = 'over'
    if (this.#recorder && this.#recorder.state !== 'inactive') this.#recorder.stop()
    this.#shut()
  }
  #shut(): void {
    clearInterval(this.#timer)
    stop(this.#stream)
    void this.#context?.close().catch(() => undefined)
    this.#context = undefined
  }
}

function stop(stream: MediaStream | undefined): void {
  stream?.getTracks().forEach((track) => track.stop())
}
