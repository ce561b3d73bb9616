// Addresses and links that people type or paste. Pure. What is read here is only a guess made early to be kind: the node
// decides.

/** What a name may be (federation-spec chapter 2): asked early, decided by the node. */
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/
const DOMAIN = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?::\d{1,5})?$/

export interface Address {
  readonly name: string
  /** Empty: the domain of this page. */
  readonly domain: string
}

export const isName = (text: string): boolean => NAME.test(text)

/** A domain as it is compared: lower case, Unicode names in their ASCII form. */
export function domainOf(text: string): string | undefined {
  const plain = tidy(text)
  if (DOMAIN.test(plain)) return plain
  // URL would read more into it than was written.
  if (/[/?#@\\\s]/.test(plain)) return undefined
  try {
    const host = new URL(`https://${plain}/`).host
    return DOMAIN.test(host) ? host : undefined
  } catch {
    return undefined
  }
}

/** `name@domain`, or a name alone. A leading @ and capitals are what people type, not what they mean. */
export function address(text: string): Address | undefined {
  const plain = tidy(text).replace(/^@/, '')
  const at = plain.indexOf('@')
  if (at < 0) return isName(plain) ? { name: plain, domain: '' } : undefined
  const name = plain.slice(0, at)
  const domain = domainOf(plain.slice(at + 1))
  return isName(name) && domain ? { name, domain } : undefined
}

/** `name@domain` in full, with the domain of the account for a name alone. */
export function user(text: string, own: string): string | undefined {
  const read = address(text)
  return read && `${read.name}@${read.domain || own}`
}

/** A person, or `@domain` for everybody there. */
export function blockable(text: string, own: string): string | undefined {
  const plain = tidy(text)
  if (plain.startsWith('@') && !plain.slice(1).includes('@')) {
    const domain = domainOf(plain.slice(1))
    return domain && (domain.includes('.') || domain === 'localhost') ? `@${domain}` : undefined
  }
  return user(plain, own)
}

/** Several people, separated as people separate: commas, semicolons, spaces, lines, in Chinese too. */
export const several = (text: string): string[] => text.split(/[\s,;，；、]+/).filter(Boolean)

/** The secret of `https://<host>/join/<secret>`, of the path alone, or the secret alone. */
export function invitation(text: string): { secret: string; host?: string } | undefined {
  const plain = text.trim()
  const found = /^(?:https?:\/\/([^/?#]+))?\/join\/([A-Za-z0-9_-]+)\/?(?:[?#].*)?$/.exec(plain)
  if (found) return found[1] ? { secret: found[2] as string, host: found[1].toLowerCase() } : { secret: found[2] as string }
  return /^[A-Za-z0-9_-]{8,}$/.test(plain) ? { secret: plain } : undefined
}

/** `https://<home>/group/<group>#<secret>`. */
export function groupLink(text: string): { link: string; home: string; group: string } | undefined {
  const plain = text.trim()
  const found = /^https?:\/\/([^/?#]+)\/group\/([a-z0-9]{26})\/?#([A-Za-z0-9_=-]+)$/i.exec(plain)
  return found ? { link: plain, home: (found[1] as string).toLowerCase(), group: (found[2] as string).toLowerCase() } : undefined
}

/** Full-width letters from an IME are what they look like. */
function tidy(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase()
}
