// Sizes of files in words.

import { num } from '../words'

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

/** 812 B, 1.4 MB: what people read; not what a program counts with. */
export function bytes(n: number): string {
  let unit = 0
  let size = n
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000
    unit += 1
  }
  return `${num(unit === 0 || size >= 100 ? Math.round(size) : Math.round(size * 10) / 10)} ${UNITS[unit]}`
}
