// What sort of file it is, for its sign: by its type, which the node found in the bytes, and by the end of its name.

import type { FileRef } from '../app/content'

export interface Sort { readonly key: string; readonly words: string }

const ENDS: Readonly<Record<string, string>> = {
  pdf: 'pdf', doc: 'word', docx: 'word', odt: 'word', rtf: 'word', pages: 'word', wps: 'word', md: 'word', txt: 'word',
  xls: 'sheet', xlsx: 'sheet', ods: 'sheet', csv: 'sheet', et: 'sheet', numbers: 'sheet',
  ppt: 'slides', pptx: 'slides', odp: 'slides', key: 'slides', dps: 'slides',
  zip: 'archive', rar: 'archive', '7z': 'archive', tar: 'archive', gz: 'archive', xz: 'archive', zst: 'archive', iso: 'archive', dmg: 'archive', apk: 'archive', exe: 'archive',
  js: 'code', ts: 'code', rs: 'code', py: 'code', go: 'code', java: 'code', c: 'code', h: 'code', cpp: 'code', html: 'code', css: 'code', json: 'code', xml: 'code', sql: 'code', sh: 'code', yaml: 'code', yml: 'code', toml: 'code',
}
/** Letters that fit on the sign. */
const LETTERS_MAX = 4

export function sortOf(file: Pick<FileRef, 'type' | 'name'>): Sort {
  const end = /\.([\p{L}\p{N}]{1,8})$/u.exec(file.name)?.[1]?.toLowerCase() ?? ''
  const words = end !== '' && end.length <= LETTERS_MAX ? end.toUpperCase() : ''
  const group = file.type.split('/')[0]
  const key = group === 'image' ? 'image' : group === 'audio' ? 'sound' : group === 'video' ? 'film' : file.type === 'application/pdf' ? 'pdf' : (ENDS[end] ?? 'other')
  return { key, words: words || '···' }
}
