// What the people of a scene send besides words. Pictures are colours that go from corner to corner: no photograph is anybody's.

import { described, type Described } from '../../src/attach/orders'
import type { Line, Picture, Said } from '../../src/app/content'
import { toContent } from '../../src/app/composer/markup'
import { encodeContent } from '../../src/app/wire'
import { bytes, png, wav } from '../harness/media.mjs'
import type { Actor } from './cast'

/** Gives a file to the node, as any client does (tus), and waits until it has looked at it. */
export async function put(who: Actor, name: string, purpose: string, content: Uint8Array): Promise<Described> {
  const { token } = await who.calls.fileAccess()
  const base = `http://127.0.0.1:${who.home.port}`
  const headers = { authorization: `Bearer ${Buffer.from(token).toString('base64url')}`, 'tus-resumable': '1.0.0' }
  const word = (text: string) => Buffer.from(text).toString('base64')
  const made = await fetch(`${base}/files/uploads`, { method: 'POST', headers: { ...headers, 'upload-length': String(content.length), 'upload-metadata': `filename ${word(name)},purpose ${word(purpose)}` } })
  if (made.status !== 201) throw new Error(`${name}: ${made.status} ${await made.text()}`)
  const at = new URL(made.headers.get('location') ?? '', base)
  const url = `${base}${at.pathname}`
  const sent = await fetch(url, { method: 'PATCH', headers: { ...headers, 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }, body: content as Uint8Array<ArrayBuffer> })
  if (!sent.ok) throw new Error(`${name}: ${sent.status} ${await sent.text()}`)
  return who.until(`${name} being looked at`, async () => {
    const told = (await (await fetch(url, { headers })).json()) as { state: string; error?: { code: string } }
    if (told.state === 'failed') throw new Error(`${name}: ${told.error?.code}`)
    return told.state === 'ready' && described(told, name)
  })
}

async function picture(who: Actor, name: string, width: number, height: number, hue: number): Promise<Picture> {
  const it = await put(who, name, 'original', png(width, height, hue))
  return { file: it.file, width, height, blur: new Uint8Array(), ...it.picture }
}

const words = (typed: string) => { const said = toContent(typed); return said?.kind === 'text' ? said.blocks : [] }
const line = (author: Actor, timeMs: number, said: Said): Line => ({ author: author.user, authorName: author.shown, timeMs, content: encodeContent(said) })

/** Everything that is not words, in one group. */
export async function things(group: string, people: { tom: Actor; sofia: Actor; yuki: Actor; lin: Actor; wang: Actor }, now: number): Promise<void> {
  const { tom, sofia, yuki, lin, wang } = people
  const sizes: [number, number, number][] = [[800, 600, 20], [400, 600, 80], [900, 500, 140], [500, 500, 200], [800, 600, 260]]
  const album = await Promise.all(sizes.map(([width, height, hue], i) => picture(yuki, `ridge-${i + 1}.png`, width, height, hue)))
  await yuki.show(group, { kind: 'album', pictures: album, caption: words('From last time, **before** the rain ☔') })
  await wang.show(group, { kind: 'album', pictures: [await picture(wang, '茶.png', 700, 900, 320)], caption: [] })
  await sofia.show(group, { kind: 'location', latitude: 47.4213, longitude: 10.9863, name: 'Hut below the ridge', address: 'Path 801, 1 h 40 from the station' })
  await tom.show(group, { kind: 'voice', file: (await put(tom, 'voice.wav', 'voice', wav(9))).file, durationMs: 9000, waveform: Uint8Array.from({ length: 90 }, (_, i) => 40 + Math.round(200 * Math.abs(Math.sin(i / 5) * Math.sin(i / 31)))) })
  await tom.show(group, { kind: 'attachment', file: (await put(tom, 'Route and timetable, spring 2026.pdf', 'file', Buffer.concat([Buffer.from('%PDF-1.4\n'), bytes(48_000, 3)]))).file, caption: words('Page 2 has the bus back.') })
  await lin.show(group, { kind: 'contact', user: sofia.user, displayName: sofia.shown })
  await sofia.show(group, { kind: 'link', url: 'https://weather.example/alps/saturday', title: 'Saturday: sun, later a few clouds', description: 'Ten degrees at noon on the ridge, hardly any wind, no snow below 1,900 m.', site: 'Alpine weather' })
  await lin.show(group, {
    kind: 'transcript', title: 'Tom Okafor · 王子轩', lines: [
      line(tom, now - 7_200_000, { kind: 'text', blocks: words('Who brings the stove?') }), line(wang, now - 7_100_000, { kind: 'text', blocks: words('我带，还有茶。') }),
      line(wang, now - 7_000_000, { kind: 'album', pictures: [await picture(lin, 'stove.png', 600, 400, 50)], caption: [] }), line(tom, now - 6_900_000, { kind: 'text', blocks: words('Perfect.') }),
    ],
  })
}
