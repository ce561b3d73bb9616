// Code cut into what is coloured: by highlight.js, as a tree and never as markup. Loaded with the first code that is seen.

import type { Root, RootContent } from 'hast'

/** A run of text, or one that is something: of what sort it is, and what is in it. */
export type Token = string | { readonly sort: string; readonly parts: readonly Token[] }

/** Longer ones are shown without colours: a page is to be read, not to stand still. */
const SOURCE_MAX = 64 * 1024

const SORTS: readonly (readonly [RegExp, string])[] = [
  [/comment|quote|doctag/, 'comment'],
  [/keyword|selector-tag|literal|built_in|meta|name$/, 'word'],
  [/string|regexp|char|link/, 'string'],
  [/number|symbol|bullet|variable|template-variable/, 'number'],
  [/title|section|function/, 'title'],
  [/type|class|attr|property|params|selector/, 'type'],
  [/addition/, 'added'],
  [/deletion/, 'removed'],
]

type Low = { highlight(language: string, source: string): Root; registered(language: string): boolean; listLanguages(): string[] }

class Highlighter {
  #low = $state.raw<Low>()
  #asked = false

  /** What is coloured by itself when no language is said is often wrong: then nothing is. */
  tokens(source: string, language: string): readonly Token[] {
    const low = this.#low
    if (!low) {
      this.want()
      return [source]
    }
    const name = language.trim().toLowerCase()
    if (source.length > SOURCE_MAX || name === '' || !low.registered(name)) return [source]
    try {
      return low.highlight(name, source).children.map(tokenOf)
    } catch {
      return [source]
    }
  }
  want(): void {
    if (this.#asked) return
    this.#asked = true
    queueMicrotask(() => void import('lowlight').then((it) => (this.#low = it.createLowlight(it.common)), () => (this.#asked = false)))
  }
  /** Names that a language can be chosen by; empty until they are known. */
  get languages(): readonly string[] {
    return this.#low?.listLanguages() ?? []
  }
}
export const highlighter = new Highlighter()

function tokenOf(node: RootContent): Token {
  if (node.type === 'text') return node.value
  if (node.type !== 'element') return ''
  const names = node.properties['className']
  const name = (Array.isArray(names) ? names.join(' ') : '').replaceAll('hljs-', '')
  return { sort: SORTS.find(([is]) => is.test(name))?.[1] ?? 'plain', parts: node.children.map(tokenOf) }
}
