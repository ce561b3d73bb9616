// Marks in the timeline what was found, as it is written there. Highlights of the browser's own: the messages on the page are
// not touched, and what is drawn anew is painted anew. A browser without them (before 2024) shows the message without marks.

const FOUND = 'startalk-found'
const NOW = 'startalk-found-now'

export class Painter {
  readonly #root: HTMLElement
  readonly #looks: MutationObserver
  #marks: ReadonlyMap<string, readonly string[]> = new Map()
  #now: string | undefined
  #due = 0

  /** `root` has the messages in it, as articles that say their key. */
  constructor(root: HTMLElement) {
    this.#root = root
    this.#looks = new MutationObserver(() => (this.#due ||= requestAnimationFrame(() => this.#paint())))
    this.#looks.observe(root, { childList: true, subtree: true, characterData: true })
  }

  /** Words by the keys of messages, and the message that one is at. */
  show(marks: ReadonlyMap<string, readonly string[]>, now: string | undefined): void {
    this.#marks = marks
    this.#now = now
    this.#paint()
  }

  end(): void {
    this.#looks.disconnect()
    cancelAnimationFrame(this.#due)
    globalThis.CSS?.highlights?.delete(FOUND)
    globalThis.CSS?.highlights?.delete(NOW)
  }

  #paint(): void {
    this.#due = 0
    if (!globalThis.CSS?.highlights) return
    const all = new Highlight()
    const now = new Highlight()
    for (const article of this.#root.querySelectorAll<HTMLElement>('article[data-key]')) {
      const key = article.dataset['key'] ?? ''
      const words = this.#marks.get(key)
      if (!words) continue
      for (const said of article.querySelectorAll('.bubble > .text, .bubble pre, .bubble > .unknown'))
        for (const range of rangesIn(said, words)) (key === this.#now ? now : all).add(range)
    }
    CSS.highlights.set(FOUND, all)
    CSS.highlights.set(NOW, now)
  }
}

/** Every place of the words in an element, also across bold and links. */
function rangesIn(element: Element, words: readonly string[]): Range[] {
  const nodes: { node: Text; from: number }[] = []
  let text = ''
  for (const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT); walk.nextNode(); ) {
    const node = walk.currentNode as Text
    nodes.push({ node, from: text.length })
    text += node.data
  }
  const spot = (at: number, ends: boolean) => {
    let i = nodes.length - 1
    while (i > 0 && (nodes[i]!.from > at || (ends && nodes[i]!.from === at))) i--
    return [nodes[i]!.node, at - nodes[i]!.from] as const
  }
  const out: Range[] = []
  for (const word of words) {
    for (let at = text.indexOf(word); word !== '' && at >= 0; at = text.indexOf(word, at + word.length)) {
      const range = document.createRange()
      range.setStart(...spot(at, false))
      range.setEnd(...spot(at + word.length, true))
      out.push(range)
    }
  }
  return out
}
