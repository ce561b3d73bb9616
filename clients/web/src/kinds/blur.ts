// What a picture will be like, out of a few bytes (ThumbHash).

import { thumbHashToDataURL } from 'thumbhash'

/** Of the newest ones that were seen. */
const KEPT_MAX = 400
const BYTES_MIN = 5
const BYTES_MAX = 40
const made = new WeakMap<Uint8Array, string>()
let count = 0

/** An address of a small picture; empty: there is none. */
export function blurred(blur: Uint8Array): string {
  if (blur.length < BYTES_MIN || blur.length > BYTES_MAX) return ''
  let url = made.get(blur)
  if (url === undefined) {
    try {
      url = thumbHashToDataURL(blur)
    } catch {
      url = ''
    }
    if (count++ < KEPT_MAX * 10) made.set(blur, url)
  }
  return url
}
