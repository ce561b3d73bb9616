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

/** Two letters of a Latin name; of a Chinese one the given name, the first two of what is longer than a name. */
export function initials(name: string): string {
  const clean = name.trim().replace(/^@/, '')
  const han = [...clean].filter((c) => HAN.test(c))
  if (han.length > 0) return (han.length > 4 ? han.slice(0, 2) : han.slice(-2)).join('')
  const words = clean.split('@')[0]?.split(/[\s._-]+/u).filter(Boolean) ?? []
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
