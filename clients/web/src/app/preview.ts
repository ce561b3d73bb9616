// A message in one line, in words.

import { oneLine } from './content'
import type { Message, Quoted, Talk } from './model'
import { say } from '../words'
import { lineWords } from '../words/lines.svelte'

const t = say('talk')

export function gist(message: Message | Quoted, talk: Talk): string {
  if (message.recalled) return t('recalledPreview')
  const said = message.said
  if (said.kind === 'system') return lineWords(said.code, said.params, talk.name(message.author), (user) => talk.name(user))
  if (said.kind === 'code') return `${t('codePreview')}: ${oneLine(said)}`
  if (said.kind === 'unknown') return said.fallback || t('unknownKind')
  return oneLine(said)
}
