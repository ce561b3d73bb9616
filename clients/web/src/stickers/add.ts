// A picture of this device becomes a sticker: small, so it goes in one request.

import type { SaidOf } from '../app/content'
import type { Talk } from '../app/model'
import { described, type Described } from '../attach/orders'
import { doorOf, FileError } from '../files/door.svelte'

const TUS = { 'tus-resumable': '1.0.0' }
/** The node waits 20 s each time that it is asked. */
const ASKED_MAX = 10

const base64 = (text: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(text)))

async function uploaded(talk: Talk, file: File): Promise<Described> {
  const door = doorOf(talk)
  const answer = await door.fetch('/files/uploads', {
    method: 'POST', body: file,
    headers: { ...TUS, 'content-type': 'application/offset+octet-stream', 'upload-length': String(file.size), 'upload-metadata': `filename ${base64(file.name)},purpose ${base64('sticker')}` },
  })
  const path = answer.headers.get('location') ?? ''
  for (let asked = 0; asked < ASKED_MAX; asked++) {
    const json = (await (await door.fetch(path)).json()) as { state?: string; error?: { code?: string; params?: Record<string, string> } }
    if (json.state === 'failed') throw new FileError(json.error?.code ?? 'internal', json.error?.params ?? {})
    if (json.state === 'receiving') throw new FileError('offline')
    const found = json.state === 'ready' ? described(json, file.name) : undefined
    if (found) return found
  }
  throw new FileError('internal', { why: 'upload' })
}

/** What is added to one's own stickers. What is larger than it will ever be shown is kept as its small copy; what moves stays as it is. */
export async function newSticker(talk: Talk, file: File): Promise<SaidOf<'sticker'>> {
  const { file: whole, picture } = await uploaded(talk, file)
  const small = picture?.reduced && picture.thumb ? picture.thumb : whole
  return { kind: 'sticker', file: small, width: picture?.width ?? 0, height: picture?.height ?? 0, code: '', pack: '' }
}
