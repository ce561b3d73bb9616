// A push, as it is shown: what the node said in codes and names, made into words. Pure, so that it can be tested without a
// service worker; `sw.ts` shows it. What a push says is described in docs/client-protocol.md.

import { WORDS, type Language } from './words'

export interface Push {
  readonly do: 'show' | 'withdraw'
  readonly account: string
  readonly conversation: string
  readonly sequence: number
  readonly badge: number | undefined
  readonly because: string
  /** The number of a reminder; 0: it is none. */
  readonly reminder: number
  readonly unread: number
  readonly time: number
  readonly inGroup: boolean
  readonly from: string
  readonly sender: string
  readonly group: string
  /** Empty: hidden. */
  readonly kind: string
  readonly text: string
}

export interface Shown {
  readonly title: string
  readonly body: string
  readonly tag: string
  readonly path: string
}

/** One for each conversation of each account: a later one replaces the earlier. The page uses the same. */
export const tagOf = (account: string, conversation: string): string => `${account} ${conversation}`

/** Where a click leads (invitations into groups are of no conversation yet); the page changes to the account if it shows another. */
export const pathOf = (account: string, conversation: string): string => `${conversation === '0' ? '/requests' : `/c/${conversation}`}?as=${encodeURIComponent(account)}`

/** What the node sent; undefined: it is none, or of a later form. */
export function parse(text: string): Push | undefined {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof read !== 'object' || read === null) return undefined
  const all = read as Record<string, unknown>
  const words = (name: string) => (typeof all[name] === 'string' ? (all[name] as string) : '')
  const count = (name: string) => (typeof all[name] === 'number' && Number.isSafeInteger(all[name]) && (all[name] as number) >= 0 ? (all[name] as number) : 0)
  const what = words('do')
  if (all['v'] !== 1 || (what !== 'show' && what !== 'withdraw') || !/^\d{1,20}$/.test(words('conversation')) || !words('account').includes('@')) return undefined
  return {
    do: what, account: words('account'), conversation: words('conversation'), sequence: count('sequence'),
    badge: typeof all['badge'] === 'number' ? count('badge') : undefined,
    because: words('because'), reminder: count('reminder'), unread: count('unread'), time: count('time'), inGroup: all['in_group'] === true,
    from: words('from'), sender: words('sender'), group: words('group'), kind: words('kind'), text: words('text'),
  }
}

export function shown(push: Push, language: Language): Shown {
  const words = WORDS[language]
  const where = { tag: tagOf(push.account, push.conversation), path: pathOf(push.account, push.conversation) }
  if (push.because === 'request') return { title: 'Startalk', body: push.from ? words.request(push.from) : words.stranger, ...where }
  if (push.because === 'invitation') return { title: 'Startalk', body: push.from ? words.invitation(push.from) : words.invited, ...where }
  // A reminder stands beside what the conversation has to say; of a note alone it leads to where one is.
  if (push.because === 'reminder') {
    return { title: words.reminder, body: push.text || words.reminded, tag: `${push.account} reminder ${push.reminder}`, path: push.conversation === '0' ? `/?as=${encodeURIComponent(push.account)}` : where.path }
  }
  if (!push.kind) return { title: 'Startalk', body: push.unread > 1 ? words.new(push.unread) : words.something, ...where }
  const who = push.sender || push.from.split('@')[0] || push.from
  const calls = push.because === 'called' ? words.called : push.because === 'everybody' ? words.everybody : ''
  const said = push.text || (push.kind === 'code' ? words.code : words.other)
  const more = push.unread > 1 ? `\n${words.new(push.unread)}` : ''
  return {
    title: push.inGroup ? `${who} · ${push.group}` : who,
    body: `${calls && push.inGroup ? `${calls}${language === 'zh' ? '：' : ': '}` : ''}${push.kind === 'code' && push.text ? `${words.code}${language === 'zh' ? '：' : ': '}` : ''}${said}${more}`,
    ...where,
  }
}
