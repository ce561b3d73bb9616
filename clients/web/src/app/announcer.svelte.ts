// What is read aloud: one polite voice for the whole client. Messages that come together are said together.

const WAITS_MS = 400
/** More at once is noise: then only how many is worth saying, and the last. */
const AT_ONCE_MAX = 3

class Announcer {
  words = $state('')
  #waiting: string[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  say(words: string): void {
    this.#waiting.push(words)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const all = this.#waiting.splice(0)
      this.words = all.slice(-AT_ONCE_MAX).join('. ')
    }, WAITS_MS)
  }
}

export const announcer = new Announcer()
