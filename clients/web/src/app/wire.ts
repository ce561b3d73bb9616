// content.Content to and from bytes, in the page. The worker speaks all frames with the generated code; for this one small
// message the page has its own, so that the generated code is not loaded twice: a table of its fields, and what reads and
// writes by a table. A test holds the two to each other.

import { lasting, type Block, type FileRef, type Picture, type Said, type SaidOf } from './content'

const decoder = new TextDecoder()
const encoder = new TextEncoder()

class Reader {
  #at = 0
  constructor(private readonly bytes: Uint8Array) {}
  get more(): boolean {
    return this.#at < this.bytes.length
  }
  number(): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.#at++]
      if (byte === undefined) throw new RangeError('cut')
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('varint')
  }
  part(length = this.number()): Uint8Array {
    const from = this.#at
    this.#at += length
    if (this.#at > this.bytes.length) throw new RangeError('cut')
    return this.bytes.subarray(from, this.#at)
  }
  skip(wire: number): void {
    if (wire === 0) this.number()
    else if (wire === 1) this.part(8)
    else if (wire === 2) this.part()
    else if (wire === 5) this.part(4)
    else throw new RangeError('wire')
  }
}

/** A field: its name, what it is, whether there may be several. Numbers and enums are `n`, doubles `d`. */
type Field = readonly [name: string, type: 's' | 'b' | 'n' | 'd' | Shape, many?: 1]
/** Fields by number; written in that order. */
interface Shape { readonly [number: number]: Field }
type Made = Record<string, unknown>

const INLINE: Shape = { 1: ['text', 's'], 2: ['marks', 'n'], 3: ['link', 's'], 4: ['mention', 's'] }
const BLOCK: Shape = { 1: ['kind', 'n'], 2: ['inlines', INLINE, 1], 3: ['level', 'n'] }
const TEXT: Shape = { 1: ['blocks', BLOCK, 1] }
const FILE: Shape = { 1: ['hash', 'b'], 2: ['size', 'n'], 3: ['type', 's'], 4: ['name', 's'] }
const PICTURE: Shape = { 1: ['file', FILE], 2: ['width', 'n'], 3: ['height', 'n'], 4: ['blur', 'b'], 5: ['thumb', FILE], 6: ['reduced', FILE] }
const LINE: Shape = { 1: ['author', 's'], 2: ['authorName', 's'], 3: ['timeMs', 'n'], 4: ['content', 'b'] }
const PARAM: Shape = { 1: ['key', 's'], 2: ['value', 's'] }

/** The kinds, by their fields in Content. */
const KINDS: Readonly<Record<number, readonly [kind: Said['kind'], shape: Shape]>> = {
  2: ['text', TEXT],
  3: ['code', { 1: ['language', 's'], 2: ['source', 's'] }],
  4: ['system', { 1: ['code', 's'], 2: ['params', PARAM, 1] }],
  5: ['album', { 1: ['pictures', PICTURE, 1], 2: ['caption', TEXT] }],
  6: ['voice', { 1: ['file', FILE], 2: ['durationMs', 'n'], 3: ['waveform', 'b'] }],
  7: ['video', { 1: ['file', FILE], 2: ['durationMs', 'n'], 3: ['width', 'n'], 4: ['height', 'n'], 5: ['poster', FILE], 6: ['blur', 'b'], 7: ['caption', TEXT] }],
  8: ['attachment', { 1: ['file', FILE], 2: ['caption', TEXT] }],
  9: ['sticker', { 1: ['file', FILE], 2: ['width', 'n'], 3: ['height', 'n'], 4: ['code', 's'], 5: ['pack', 's'] }],
  10: ['location', { 1: ['latitude', 'd'], 2: ['longitude', 'd'], 3: ['name', 's'], 4: ['address', 's'] }],
  11: ['contact', { 1: ['user', 's'], 2: ['displayName', 's'] }],
  12: ['link', { 1: ['url', 's'], 2: ['title', 's'], 3: ['description', 's'], 4: ['site', 's'], 5: ['picture', PICTURE] }],
  13: ['transcript', { 1: ['title', 's'], 2: ['lines', LINE, 1] }],
  14: ['shake', {}],
}
/** Other fields of Content: the node said it; it goes so many seconds after it was opened. */
const AUTOMATIC = 345
const BURN_S = 440

const WIRES = { s: 2, b: 2, n: 0, d: 1 }
const wireOf = (type: Field[1]): number => (typeof type === 'string' ? WIRES[type] : 2)

function read(bytes: Uint8Array, shape: Shape): Made {
  const out: Made = {}
  for (const [name, type, many] of Object.values(shape) as Field[]) {
    if (many) out[name] = []
    else if (typeof type === 'string') out[name] = type === 's' ? '' : type === 'b' ? new Uint8Array() : 0
  }
  for (const reader = new Reader(bytes); reader.more; ) {
    const tag = reader.number()
    const field = shape[Math.floor(tag / 8)]
    if (!field || (tag & 7) !== wireOf(field[1])) {
      reader.skip(tag & 7)
      continue
    }
    const [name, type, many] = field
    let value: unknown
    if (type === 's') value = decoder.decode(reader.part())
    else if (type === 'b') value = reader.part()
    else if (type === 'n') value = reader.number()
    else if (type === 'd') value = doubleOf(reader.part(8))
    else value = read(reader.part(), type)
    if (many) (out[name] as unknown[]).push(value)
    else out[name] = value
  }
  return out
}
const doubleOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true)

/** What cannot be read is unknown, not an error: it is shown as such and can be forwarded. */
export function decodeContent(bytes: Uint8Array): Said {
  let fallback = ''
  let said: Said | undefined
  let automatic = false
  let burnS = 0
  try {
    for (const reader = new Reader(bytes); reader.more; ) {
      const tag = reader.number()
      const [number, wire] = [Math.floor(tag / 8), tag & 7]
      const known = wire === 2 ? KINDS[number] : undefined
      if (known) said = made(known[0], read(reader.part(), known[1]))
      else if (number === 1 && wire === 2) fallback = decoder.decode(reader.part())
      else if (number === AUTOMATIC && wire === 0) automatic = reader.number() === 1
      else if (number === BURN_S && wire === 0) burnS = reader.number()
      else reader.skip(wire)
    }
  } catch {
    said = undefined
  }
  said ??= { kind: 'unknown', fallback, bytes }
  if (automatic && said.kind === 'text') said = { ...said, automatic: true }
  return burnS > 0 ? { ...said, burnS } : said
}

const HASH_BYTES = 32
const isFile = (file: unknown): file is FileRef => (file as FileRef | undefined)?.hash?.length === HASH_BYTES
const isPicture = (one: unknown): one is Picture => isFile((one as Picture | undefined)?.file)

/** As the views want it; undefined: it lacks what it is about. */
function made(kind: Said['kind'], it: Made): Said | undefined {
  if (CAPTIONED.has(kind)) it['caption'] = tidy((it['caption'] as { blocks: Block[] } | undefined)?.blocks ?? [])
  if (it['blocks']) tidy(it['blocks'] as Block[])
  if (it['params']) it['params'] = Object.assign(Object.create(null), Object.fromEntries((it['params'] as { key: string; value: string }[]).map((one) => [one.key, one.value])))
  for (const one of ['poster', 'picture'] as const) if (one in it && !isFile(one === 'poster' ? it[one] : (it[one] as Picture | undefined)?.file)) delete it[one]
  if (it['pictures'] && (it['pictures'] = (it['pictures'] as unknown[]).filter(isPicture), (it['pictures'] as unknown[]).length === 0)) return undefined
  if (NEEDS_FILE.has(kind) && !isFile(it['file'])) return undefined
  if (kind === 'location' && !(Math.abs(it['latitude'] as number) <= 90 && Math.abs(it['longitude'] as number) <= 180)) return undefined
  return { kind, ...it } as unknown as Said
}
const NEEDS_FILE: ReadonlySet<Said['kind']> = new Set(['voice', 'video', 'attachment', 'sticker'])
const CAPTIONED: ReadonlySet<Said['kind']> = new Set(['album', 'video', 'attachment'])

const LEVEL_MAX = 7
function tidy(blocks: Block[]): Block[] {
  for (const block of blocks) block.level = Math.min(LEVEL_MAX, block.level)
  return blocks
}

function varint(value: number): number[] {
  const out: number[] = []
  while (value > 0x7f) {
    out.push((value % 128) | 0x80)
    value = Math.floor(value / 128)
  }
  out.push(value)
  return out
}

const joined = (parts: (Uint8Array | number[])[]): Uint8Array => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
const part = (number: number, bytes: Uint8Array): Uint8Array => joined([varint(number * 8 + 2), varint(bytes.length), bytes])

/** What is empty or nothing is not written, but for one of several. */
function written(it: Made, shape: Shape): Uint8Array {
  const out: Uint8Array[] = []
  for (const [key, [name, type, many]] of Object.entries(shape) as [string, Field][]) {
    const number = Number(key)
    for (const value of (many ? it[name] : [it[name]]) as unknown[]) {
      if (value === undefined) continue
      if (type === 'n') { if (value !== 0) out.push(joined([varint(number * 8), varint(value as number)])) }
      else if (type === 'd') { if (value !== 0) out.push(joined([varint(number * 8 + 1), new Uint8Array(new Float64Array([value as number]).buffer)])) }
      else {
        const bytes = type === 's' ? encoder.encode(value as string) : type === 'b' ? (value as Uint8Array) : written(value as Made, type)
        if (many || typeof type !== 'string' || bytes.length > 0) out.push(part(number, bytes))
      }
    }
  }
  return joined(out)
}

/** For programs that do not know the kind; signs rather than words, for whoever reads it may speak another language. */
function fallbackOf(said: Said): string {
  switch (said.kind) {
    case 'album': return said.pictures.length > 1 ? `🖼️ ×${said.pictures.length}` : '🖼️'
    case 'voice': return `🎤 ${lasting(said.durationMs)}`
    case 'video': return `🎬 ${lasting(said.durationMs)}`
    case 'attachment': return `📎 ${said.file.name}`
    case 'sticker': return said.code || '🖼️'
    case 'location': return `📍 ${[said.name, `${said.latitude}, ${said.longitude}`].filter(Boolean).join(' ')}`
    case 'contact': return `👤 ${said.displayName} ${said.user}`
    case 'link': return [said.title, said.url].filter(Boolean).join(' ')
    case 'transcript': return `💬 ${said.title}`
    case 'shake': return '👋'
    default: return ''
  }
}

/** content.Sticker alone, as it is kept among one's own; undefined: it cannot be read. */
export function decodeSticker(bytes: Uint8Array): SaidOf<'sticker'> | undefined {
  try {
    const [kind, shape] = KINDS[9]!
    return made(kind, read(bytes, shape)) as SaidOf<'sticker'>
  } catch {
    return undefined
  }
}
export function encodeSticker(said: Said): Uint8Array {
  return joined([written(said as unknown as Made, KINDS[9]![1])])
}

export function encodeContent(said: Said): Uint8Array {
  if (said.kind === 'unknown') return said.bytes
  if (said.kind === 'system') throw new TypeError('a line by the system is said by nobody')
  const [number, [, shape]] = Object.entries(KINDS).find(([, [kind]]) => kind === said.kind)!
  const caption = 'caption' in said ? { caption: said.caption.length > 0 ? { blocks: said.caption } : undefined } : {}
  const fallback = fallbackOf(said)
  return joined([
    fallback ? part(1, encoder.encode(fallback)) : [],
    part(Number(number), written({ ...said, ...caption } as unknown as Made, shape)),
    said.burnS ? [...varint(BURN_S * 8), ...varint(said.burnS)] : [],
  ])
}
