// Weekly hours as people write them. Pure but for the language.

import { language } from '../words'

/** As the node takes them: two for each day. */
export const SPANS_MAX = 14
/** A Monday. */
const MONDAY_MS = Date.UTC(2024, 0, 1)
const DAY_MS = 86_400_000

/** The days of the week from Monday, each with its bit. */
export function days(): readonly { readonly bit: number; readonly short: string; readonly long: string }[] {
  const name = (style: 'short' | 'long') => new Intl.DateTimeFormat(language(), { weekday: style, timeZone: 'UTC' })
  const [short, long] = [name('short'), name('long')]
  return Array.from({ length: 7 }, (_, i) => {
    const at = MONDAY_MS + i * DAY_MS
    return { bit: 1 << i, short: short.format(at), long: long.format(at) }
  })
}

/** `23:30`; the end of the day is the beginning of the next. */
export const toTime = (minutes: number): string =>
  `${String(Math.floor(minutes / 60) % 24).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`

export function fromTime(text: string): number | undefined {
  const read = /^(\d{2}):(\d{2})/.exec(text)
  return read ? Number(read[1]) * 60 + Number(read[2]) : undefined
}
