// Days, times and numbers as people of the language write them. Made by Intl; formatters are kept, for making one is dear.

import { number, TAGS } from './fill'
import { language } from './words.svelte'

const made = new Map<string, Intl.DateTimeFormat>()
const relative = new Map<string, Intl.RelativeTimeFormat>()
const lists = new Map<string, Intl.ListFormat>()

function format(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language()} ${name}`
  let it = made.get(key)
  if (!it) made.set(key, (it = new Intl.DateTimeFormat(TAGS[language()], options)))
  return it
}

function ago(value: number, unit: Intl.RelativeTimeFormatUnit): string {
  let it = relative.get(language())
  if (!it) relative.set(language(), (it = new Intl.RelativeTimeFormat(TAGS[language()], { numeric: 'auto' })))
  return it.format(value, unit)
}

/** Whole days between two times, by the calendar of this place. */
export function daysBetween(a: number, b: number): number {
  const day = (ms: number) => {
    const d = new Date(ms)
    return Date.UTC(d.getFullYear(), d.getMonth(), d.getDate())
  }
  return Math.round((day(b) - day(a)) / 86_400_000)
}

/** 14:05 */
export const clock = (ms: number): string => format('clock', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(ms)

/** A day divider: today, yesterday, Monday, 3 May, 3 May 2025. */
export function day(ms: number, now = Date.now()): string {
  const days = daysBetween(ms, now)
  if (days === 0 || days === 1) return capital(ago(-days, 'day'))
  if (days > 1 && days < 7) return format('weekday', { weekday: 'long' }).format(ms)
  return date(ms, now)
}

/** 3 May, with the year if it is another. */
export function date(ms: number, now = Date.now()): string {
  const same = new Date(ms).getFullYear() === new Date(now).getFullYear()
  return same
    ? format('date', { month: 'long', day: 'numeric' }).format(ms)
    : format('datey', { year: 'numeric', month: 'long', day: 'numeric' }).format(ms)
}

/** In a list: the time today, yesterday, the weekday, the date in digits. */
export function short(ms: number, now = Date.now()): string {
  const days = daysBetween(ms, now)
  if (days <= 0) return clock(ms)
  if (days === 1) return capital(ago(-1, 'day'))
  if (days < 7) return format('wd', { weekday: 'short' }).format(ms)
  const same = new Date(ms).getFullYear() === new Date(now).getFullYear()
  return same
    ? format('md', { month: 'numeric', day: 'numeric' }).format(ms)
    : format('ymd', { year: 'numeric', month: 'numeric', day: 'numeric' }).format(ms)
}

/** The day and the time, in full: for titles and for what is to be exact. */
export const when = (ms: number): string =>
  format('when', { year: 'numeric', month: 'long', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(ms)

/** 5 minutes ago, in 3 days. */
export function since(ms: number, now = Date.now()): string {
  const seconds = (ms - now) / 1000
  const size = Math.abs(seconds)
  if (size < 60) return ago(0, 'second')
  if (size < 3600) return ago(Math.round(seconds / 60), 'minute')
  if (size < 86_400) return ago(Math.round(seconds / 3600), 'hour')
  if (size < 30 * 86_400) return ago(-daysBetween(ms, now), 'day')
  return date(ms, now)
}

export const num = (n: number): string => number(n, language())

/** a, b and c */
export function list(items: readonly string[]): string {
  let it = lists.get(language())
  if (!it) lists.set(language(), (it = new Intl.ListFormat(TAGS[language()], { type: 'conjunction' })))
  return it.format(items)
}

const capital = (s: string): string => s.charAt(0).toLocaleUpperCase() + s.slice(1)
