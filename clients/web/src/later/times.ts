// Times that one chooses often, and times as the browser's field has them, by the clock of this place.

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

/** Nine o'clock of a day that comes. */
export function morning(now: number, days: number): number {
  const at = new Date(now)
  at.setDate(at.getDate() + days)
  at.setHours(9, 0, 0, 0)
  return at.getTime()
}
/** Nine o'clock of the next Monday. */
export const monday = (now: number): number => morning(now, ((8 - new Date(now).getDay()) % 7) || 7)

const two = (n: number) => String(n).padStart(2, '0')
/** 2026-01-31T09:00:05: seconds only where there are some. */
export function written(ms: number): string {
  const d = new Date(ms)
  const seconds = d.getSeconds() === 0 ? '' : `:${two(d.getSeconds())}`
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}${seconds}`
}
/** undefined: it is none. */
export function readTime(text: string): number | undefined {
  const ms = new Date(text).getTime()
  return Number.isNaN(ms) ? undefined : ms
}
