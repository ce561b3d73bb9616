// The nodes' clock, so that a scene has days in it: libfaketime reads from a file how far behind the real time it is. Where
// the library is not there, everything was said just now.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MINUTE_MS = 60_000

const LIBRARIES = ['x86_64-linux-gnu', 'aarch64-linux-gnu', ''].map((machine) => join('/usr/lib', machine, 'faketime/libfaketime.so.1'))

export class SceneClock {
  constructor(folder) {
    this.library = LIBRARIES.find((path) => existsSync(path))
    this.file = join(folder, 'clock')
    // The scene ends at half past ten in the morning, of today if that is over.
    const now = new Date()
    const end = new Date(now).setHours(10, 30, 0, 0)
    this.end = end < now.getTime() ? end : now.getTime() - MINUTE_MS
  }

  /** For a node's process. */
  environment() {
    if (!this.library) return {}
    return { LD_PRELOAD: this.library, FAKETIME_TIMESTAMP_FILE: this.file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' }
  }

  /** Days before the scene's day, and a time of day; later than any before it. */
  at(daysBefore, clock) {
    const [hour, minute] = clock.split(':').map(Number)
    const day = new Date(this.end)
    day.setDate(day.getDate() - daysBefore)
    // If the scene's day is cut short, what would lie after its end is told in its order all the same.
    const wanted = day.setHours(hour, minute, 0, 0)
    this.set(Math.min(wanted, this.end - (10.5 - hour - minute / 60) * 1000))
  }

  set(moment) {
    writeFileSync(this.file, `-${Math.max(0, Math.round((Date.now() - moment) / 1000))}`)
  }

  /** Once more as long ago as the scene's end. */
  present() {
    this.set(this.end)
  }
}
