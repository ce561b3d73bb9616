// content.Content to and from bytes, in the page. The worker speaks all frames with the generated code; for this one small
// message the page has its own, so that the generated code is not loaded twice. A test holds the two to each other.

import type { Block, Inline, Said } from './content'

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
  part(): Uint8Array {
    const length = this.number()
    const from = this.#at
    this.#at += length
    if (this.#at > this.bytes.length) throw new RangeError('cut')
    return this.bytes.subarray(from, this.#at)
  }
  skip(wire: number): void {
    if (wire === 0) this.number()
    else if (wire === 1) this.#at += 8
    else if (wire === 2) this.part()
    else if (wire === 5) this.#at += 4
    else throw new RangeError('wire')
    if (this.#at > this.bytes.length) throw new RangeError('cut')
  }
}

/** Calls `field` for each field; what it does not take is skipped. */
function fields(bytes: Uint8Array, field: (number: number, wire: number, reader: Reader) => boolean): void {
  const reader = new Reader(bytes)
  while (reader.more) {
    const tag = reader.number()
    if (!field(Math.floor(tag / 8), tag & 7, reader)) reader.skip(tag & 7)
  }
}

const text = (reader: Reader): string => decoder.decode(reader.part())

/** Field of Content: the node said it. */
const AUTOMATIC = 345

/** What cannot be read is unknown, not an error: it is shown as such and can be forwarded. */
export function decodeContent(bytes: Uint8Array): Said {
  let fallback = ''
  let said: Said | undefined
  let automatic = false
  try {
    fields(bytes, (number, wire, reader) => {
      if (number === AUTOMATIC && wire === 0) return (automatic = reader.number() === 1, true)
      if (wire !== 2) return false
      if (number === 1) fallback = text(reader)
      else if (number === 2) said = { kind: 'text', blocks: blocks(reader.part()) }
      else if (number === 3) said = code(reader.part())
      else if (number === 4) said = system(reader.part())
      else return false
      return true
    })
  } catch {
    said = undefined
  }
  if (automatic && said?.kind === 'text') said = { ...said, automatic: true }
  return said ?? { kind: 'unknown', fallback, bytes }
}

function blocks(bytes: Uint8Array): Block[] {
  const out: Block[] = []
  fields(bytes, (number, wire, reader) => {
    if (number !== 1 || wire !== 2) return false
    const block: Block = { kind: 0, level: 0, inlines: [] }
    fields(reader.part(), (n, w, r) => {
      if (n === 1 && w === 0) block.kind = r.number()
      else if (n === 2 && w === 2) block.inlines.push(inline(r.part()))
      else if (n === 3 && w === 0) block.level = Math.min(7, r.number())
      else return false
      return true
    })
    out.push(block)
    return true
  })
  return out
}

function inline(bytes: Uint8Array): Inline {
  const one: Inline = { text: '', marks: 0, link: '', mention: '' }
  fields(bytes, (number, wire, reader) => {
    if (number === 2 && wire === 0) one.marks = reader.number()
    else if (wire !== 2) return false
    else if (number === 1) one.text = text(reader)
    else if (number === 3) one.link = text(reader)
    else if (number === 4) one.mention = text(reader)
    else return false
    return true
  })
  return one
}

function code(bytes: Uint8Array): Said {
  const said = { kind: 'code' as const, language: '', source: '' }
  fields(bytes, (number, wire, reader) => {
    if (wire !== 2) return false
    if (number === 1) said.language = text(reader)
    else if (number === 2) said.source = text(reader)
    else return false
    return true
  })
  return said
}

function system(bytes: Uint8Array): Said {
  const said = { kind: 'system' as const, code: '', params: Object.create(null) as Record<string, string> }
  fields(bytes, (number, wire, reader) => {
    if (wire !== 2) return false
    if (number === 1) said.code = text(reader)
    else if (number === 2) {
      let key = ''
      let value = ''
      fields(reader.part(), (n, w, r) => {
        if (w !== 2) return false
        if (n === 1) key = text(r)
        else if (n === 2) value = text(r)
        else return false
        return true
      })
      said.params[key] = value
    } else return false
    return true
  })
  return said
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
const words = (number: number, value: string): Uint8Array => (value === '' ? new Uint8Array() : part(number, encoder.encode(value)))
const count = (number: number, value: number): Uint8Array => (value === 0 ? new Uint8Array() : joined([varint(number * 8), varint(value)]))

export function encodeContent(said: Said): Uint8Array {
  switch (said.kind) {
    case 'text':
      return part(2, joined(said.blocks.map((block) => part(1, joined([
        count(1, block.kind),
        ...block.inlines.map((one) => part(2, joined([words(1, one.text), count(2, one.marks), words(3, one.link), words(4, one.mention)]))),
        count(3, block.level),
      ])))))
    case 'code':
      return part(3, joined([words(1, said.language), words(2, said.source)]))
    case 'unknown':
      return said.bytes
    case 'system':
      throw new TypeError('a line by the system is said by nobody')
  }
}
