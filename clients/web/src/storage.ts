// Where a browser forbids pages to keep anything, even asking for `localStorage` throws. Then there is one that forgets when
// the page is left, so that nothing else has to think of it. Imported before all else.

class Forgetful implements Storage {
  readonly #all = new Map<string, string>()
  get length(): number {
    return this.#all.size
  }
  key(index: number): string | null {
    return [...this.#all.keys()][index] ?? null
  }
  getItem(key: string): string | null {
    return this.#all.get(key) ?? null
  }
  setItem(key: string, value: string): void {
    this.#all.set(key, value)
  }
  removeItem(key: string): void {
    this.#all.delete(key)
  }
  clear(): void {
    this.#all.clear()
  }
}

try {
  void localStorage.length
} catch {
  Object.defineProperty(globalThis, 'localStorage', { value: new Forgetful(), configurable: true })
}
