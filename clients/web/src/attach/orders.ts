// What is to be sent with files, before it has any hash: as it is kept in this browser until it is sent, and as it looks on
// the way. Pure.

import type { Block, FileRef, Picture, Said } from '../app/content'
import type { Answering } from '../app/model'

/** What the node is told that bytes are for; docs/client-protocol.md. */
export type Purpose = 'original' | 'reduced' | 'file' | 'voice' | 'video' | 'poster' | 'sticker'

/** One file of an order. `url`: where its upload goes on, once it has begun; `described`: it is there. */
export interface Part {
  readonly blob: Blob
  readonly name: string
  readonly purpose: Purpose
  readonly width: number
  readonly height: number
  readonly url?: string | undefined
  /** Bytes that were sent when it was last kept. */
  readonly sent?: number | undefined
  readonly described?: Described | undefined
}

/** A message whose files are on their way. */
export interface Order {
  /** Also the ticket of the message: it goes once, however often it is tried. */
  readonly id: string
  readonly account: string
  readonly conversation: string
  /** Whom it is for, should the number of the conversation become another's. */
  readonly address: string
  readonly time: number
  readonly kind: 'album' | 'voice' | 'video' | 'attachment'
  readonly caption: Block[]
  readonly durationMs: number
  readonly waveform: Uint8Array
  /** Of a video the poster comes last. */
  readonly parts: readonly Part[]
  readonly answers?: Answering | undefined
  readonly paused?: boolean | undefined
  /** Seconds after which it burns once it is opened. */
  readonly burnS?: number | undefined
}

/** What the node says of an upload. */
export interface Described {
  readonly file: FileRef
  readonly picture?: { readonly width: number; readonly height: number; readonly blur: Uint8Array; readonly thumb?: FileRef | undefined; readonly reduced?: FileRef | undefined } | undefined
}

interface Told {
  readonly file?: ToldFile
  readonly picture?: { readonly width?: number; readonly height?: number; readonly blur?: string; readonly thumb?: ToldFile | null; readonly reduced?: ToldFile | null } | null
}
interface ToldFile { readonly hash?: string; readonly size?: number; readonly type?: string; readonly name?: string }

const unhex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], (two) => parseInt(two, 16))
const unbase64 = (text: string): Uint8Array => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))

function fileOf(told: ToldFile | null | undefined, name: string): FileRef | undefined {
  if (!told?.hash || !/^[0-9a-f]{64}$/i.test(told.hash)) return undefined
  return { hash: unhex(told.hash.toLowerCase()), size: told.size ?? 0, type: told.type ?? 'application/octet-stream', name: told.name || name }
}

/** From the node's JSON; undefined: it says nothing of a file. */
export function described(json: unknown, name: string): Described | undefined {
  const told = json as Told
  const file = fileOf(told.file, name)
  if (!file) return undefined
  const picture = told.picture
  if (!picture?.width || !picture.height) return { file }
  return { file, picture: { width: picture.width, height: picture.height, blur: picture.blur ? unbase64(picture.blur) : new Uint8Array(), thumb: fileOf(picture.thumb, name), reduced: fileOf(picture.reduced, name) } }
}

/** What stands for a hash until there is one: 32 bytes that no file has. */
export const standIn = (id: string, at: number): Uint8Array => {
  const out = new Uint8Array(32)
  new TextEncoder().encodeInto(`${at} ${id}`.slice(0, 32), out)
  return out
}

/** The message as it will be; with what stands for a file where it is not there yet. */
export function saidOf(order: Order): Said {
  const said = unburnt(order)
  return order.burnS ? { ...said, burnS: order.burnS } : said
}
function unburnt(order: Order): Said {
  const files = order.parts.map((part, i): Described => part.described ?? { file: { hash: standIn(order.id, i), size: part.blob.size, type: part.blob.type, name: part.name } })
  const [first] = files
  const [part] = order.parts
  if (!first || !part) throw new TypeError('an order has files')
  switch (order.kind) {
    case 'album':
      return {
        kind: 'album', caption: order.caption,
        pictures: files.map(({ file, picture }, i): Picture => {
          const own = order.parts[i]
          return {
            file, width: picture?.width ?? own?.width ?? 0, height: picture?.height ?? own?.height ?? 0, blur: picture?.blur ?? new Uint8Array(),
            ...(picture?.thumb ? { thumb: picture.thumb } : {}), ...(picture?.reduced ? { reduced: picture.reduced } : {}),
          }
        }),
      }
    case 'voice':
      return { kind: 'voice', file: first.file, durationMs: order.durationMs, waveform: order.waveform }
    case 'video': {
      const poster = files[1]
      // A copy that is small enough is a better poster than one as large as the video.
      const shown = poster?.picture?.reduced ?? poster?.file
      return {
        kind: 'video', file: first.file, durationMs: order.durationMs, width: part.width, height: part.height, blur: poster?.picture?.blur ?? new Uint8Array(), caption: order.caption,
        ...(shown ? { poster: shown } : {}),
      }
    }
    case 'attachment':
      return { kind: 'attachment', file: first.file, caption: order.caption }
  }
}
