// A message in one line, in words.

import { lasting, oneLine, type Said } from './content'
import type { Message, Quoted, Talk } from './model'
import { list, say } from '../words'
import { lineWords } from '../words/lines.svelte'

const t = say('talk')

export function gist(message: Message | Quoted, talk: Talk): string {
  if (message.recalled) return t('recalledPreview')
  if ('burnt' in message && message.burnt) return t('burnt')
  if (message.expired) return t('expired')
  const said = message.said
  if (said.kind === 'system') return lineWords(said.code, said.params, talk.name(message.author), (user) => talk.name(user))
  return saidIn(said)
}

/** What is said in one line: what kind of thing it is, and what is written with it. */
export function saidIn(said: Said): string {
  if (said.burnS) return t('burning')
  const words = oneLine(said)
  switch (said.kind) {
    case 'text': return words
    case 'code': return what(t('codePreview'), words)
    case 'unknown': return said.fallback || t('unknownKind')
    case 'album': return what(said.pictures.length === 1 ? t('picture') : t('pictures', { n: said.pictures.length }), words)
    case 'voice': return `${t('voice')} ${lasting(said.durationMs)}`
    case 'video': return what(t('video'), words)
    case 'attachment': return what(t('file'), words)
    case 'sticker': return what(t('sticker'), words)
    case 'location': return what(t('place'), said.name || said.address)
    case 'contact': return what(t('contactCard'), said.displayName || said.user)
    case 'link': return what(t('linkCard'), said.title || said.url)
    case 'transcript': return what(t('transcript'), said.title)
    case 'shake': return t('shake')
    case 'system': return ''
  }
}
const what = (kind: string, words: string): string => (words ? `${kind} ${words}` : kind)

/** Names that one line has at most. */
const NAMES_MAX = 5

/** A run of lines of which only the person differs: `Ada added Ben, Cy and 3 others`. */
export function gathered(lines: readonly Message[], talk: Talk): string {
  const last = lines.at(-1)
  if (!last || last.said.kind !== 'system') return ''
  if (lines.length === 1) return gist(last, talk)
  const { code, params } = last.said
  const whom = BY_AUTHOR.has(code) ? lines.map((one) => one.author) : lines.map((one) => (one.said.kind === 'system' ? one.said.params['who'] ?? '' : ''))
  const all = [...new Set(whom)]
  const names = all.slice(0, all.length > NAMES_MAX ? NAMES_MAX - 1 : NAMES_MAX).map((user) => (user ? talk.name(user) : t('somebodyGone')))
  const rest = all.length - names.length
  const who = list(rest > 0 ? [...names, t('others', { n: rest })] : names)
  return BY_AUTHOR.has(code) ? lineWords(code, params, who, (user) => talk.name(user)) : lineWords(code, { ...params, who: 'all' }, talk.name(last.author), () => who)
}

/** Codes of lines that are gathered over those who did it; of the others the one to whom it was done differs. */
const BY_AUTHOR: ReadonlySet<string> = new Set(['group-joined', 'group-left'])
const BY_WHOM: ReadonlySet<string> = new Set(['group-added', 'group-invited', 'group-admitted', 'group-removed', 'group-added-by-domain', 'group-removed-by-domain'])

/** What lines have in common that are one row; undefined: it stands alone. */
export function gathers(message: Message): string | undefined {
  if (message.said.kind !== 'system' || message.recalled) return undefined
  const { code } = message.said
  return BY_AUTHOR.has(code) ? code : BY_WHOM.has(code) ? `${code} ${message.author}` : undefined
}
