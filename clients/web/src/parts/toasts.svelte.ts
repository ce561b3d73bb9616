// Short notes that go by themselves: what was done, what failed, with at most one thing to do about it.

export interface Toast {
  id: number
  words: string
  kind: 'plain' | 'problem'
  act?: { words: string; do: () => void }
}

/** How long a toast stays: as long as two lines take to read; with something to do about it, longer. */
const STAYS_MS = 5000
const STAYS_WITH_ACT_MS = 10_000
/** More would cover what is being read. */
const AT_ONCE_MAX = 3

class Toasts {
  now = $state.raw<readonly Toast[]>([])
  #last = 0

  say(words: string, act?: Toast['act']): void {
    this.#add({ id: ++this.#last, words, kind: 'plain', ...(act ? { act } : {}) })
  }
  problem(words: string, act?: Toast['act']): void {
    this.#add({ id: ++this.#last, words, kind: 'problem', ...(act ? { act } : {}) })
  }
  close(id: number): void {
    this.now = this.now.filter((toast) => toast.id !== id)
  }
  #add(toast: Toast): void {
    this.now = [...this.now, toast].slice(-AT_ONCE_MAX)
    setTimeout(() => this.close(toast.id), toast.act || toast.kind === 'problem' ? STAYS_WITH_ACT_MS : STAYS_MS)
  }
}

export const toasts = new Toasts()
