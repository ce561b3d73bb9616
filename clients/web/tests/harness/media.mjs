// Pictures, videos and files as people have them, made anew for each run.

import { crc32, deflateSync } from 'node:zlib'

/** A PNG with a colour that goes from corner to corner: `hue` tells one from the other. */
export function png(width, height, hue = 200) {
  const rows = Buffer.alloc((width * 3 + 1) * height)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = y * (width * 3 + 1) + 1 + x * 3
      const [a, b] = [x / width, y / height]
      rows[at] = 128 + 127 * Math.sin(hue / 57 + a * 3)
      rows[at + 1] = 128 + 127 * Math.sin(hue / 40 + b * 4 + 2)
      rows[at + 2] = 128 + 127 * Math.sin(hue / 30 + (a + b) * 3 + 4)
    }
  const chunk = (type, data) => {
    const out = Buffer.alloc(12 + data.length)
    out.writeUInt32BE(data.length, 0)
    out.write(type, 4, 'latin1')
    data.copy(out, 8)
    out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length)
    return out
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))])
}

/** A file as Playwright gives it to a page. */
export const picture = (name, width = 640, height = 480, hue = 200) => ({ name, mimeType: 'image/png', buffer: png(width, height, hue) })

/** Bytes that cannot be packed, the same for the same number. */
export function bytes(length, seed = 1) {
  const out = Buffer.alloc(length)
  let state = seed >>> 0
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    out[i] = state >>> 24
  }
  return out
}
export const file = (name, length, seed) => ({ name, mimeType: 'application/octet-stream', buffer: bytes(length, seed) })

/** A video of a second and a half, recorded by the browser itself. */
export async function video(page, name = 'clip.webm') {
  const base64 = await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 })
    const context = canvas.getContext('2d')
    let n = 0
    const timer = setInterval(() => { context.fillStyle = `hsl(${(n += 9)} 70% 50%)`; context.fillRect(0, 0, 320, 180); context.fillStyle = '#fff'; context.font = '48px sans-serif'; context.fillText(String(n), 30, 100) }, 40)
    const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/webm' })
    const parts = []
    recorder.ondataavailable = (event) => parts.push(event.data)
    const ended = new Promise((done) => (recorder.onstop = done))
    recorder.start()
    await new Promise((done) => setTimeout(done, 1500))
    recorder.stop()
    await ended
    clearInterval(timer)
    const all = new Uint8Array(await new Blob(parts).arrayBuffer())
    let text = ''
    for (const one of all) text += String.fromCharCode(one)
    return btoa(text)
  })
  return { name, mimeType: 'video/webm', buffer: Buffer.from(base64, 'base64') }
}

/** Puts files on the page as if they were dragged there, or pasted. */
export async function drop(page, selector, files, how = 'drop') {
  const given = files.map((one) => ({ name: one.name, type: one.mimeType, base64: one.buffer.toString('base64') }))
  await page.evaluate(({ selector, given, how }) => {
    const transfer = new DataTransfer()
    for (const one of given) transfer.items.add(new File([Uint8Array.from(atob(one.base64), (c) => c.charCodeAt(0))], one.name, { type: one.type }))
    const to = document.querySelector(selector)
    if (how === 'paste') to.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }))
    else for (const type of ['dragenter', 'dragover', 'drop']) to.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }))
  }, { selector, given, how })
}

/** Somebody who hums: 16 bits, 16,000 a second, louder and softer. */
export function wav(seconds) {
  const rate = 16_000
  const out = Buffer.alloc(44 + seconds * rate * 2)
  out.write('RIFF', 0, 'latin1')
  out.writeUInt32LE(out.length - 8, 4)
  out.write('WAVEfmt ', 8, 'latin1')
  out.writeUInt32LE(16, 16)
  out.writeUInt16LE(1, 20)
  out.writeUInt16LE(1, 22)
  out.writeUInt32LE(rate, 24)
  out.writeUInt32LE(rate * 2, 28)
  out.writeUInt16LE(2, 32)
  out.writeUInt16LE(16, 34)
  out.write('data', 36, 'latin1')
  out.writeUInt32LE(out.length - 44, 40)
  for (let i = 0; i < seconds * rate; i++) out.writeInt16LE(Math.round(9000 * Math.sin(i / 11) * Math.sin(i / 2300) ** 2), 44 + i * 2)
  return out
}
