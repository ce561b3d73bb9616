// What stands for a person or a group without a picture: its initials, and a colour that is always the same.

/** Hues far enough from one another to be told apart, all of which carry white letters. */
const HUES = [15, 40, 65, 95, 135, 165, 200, 235, 265, 295, 330]

/** The same for the same address, on every device. */
export function hue(address: string): number {
  let hash = 2166136261
  for (let i = 0; i < address.length; i++) hash = Math.imul(hash ^ address.charCodeAt(i), 16777619)
  return HUES[(hash >>> 0) % HUES.length] as number
}

const HAN = /\p{Script=Han}/u

/** Two letters of a Latin name; of one with Chinese in it the first character, which is read in the smallest circle. */
export function initials(name: string): string {
  const clean = name.trim().replace(/^@/, '')
  const han = HAN.exec(clean)
  if (han) return han[0]
  const parts = clean.split('@')[0]?.split(/[\s._-]+/u).filter(Boolean) ?? []
  const read = parts.filter((word) => /[\p{L}\p{N}]/u.test(word))
  const words = read.length > 0 ? read : parts
  const letters = words.length > 1 ? [first(words[0]), first(words[words.length - 1])] : [first(words[0])]
  return letters.join('').toLocaleUpperCase() || '?'
}

/** A whole character as people see it: an emoji or a letter with its marks is not cut. */
function first(word: string | undefined): string {
  if (!word) return ''
  if (typeof Intl.Segmenter !== 'function') return [...word][0] ?? ''
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(word)) return segment
  return ''
}
