// The link in what is being written that a card could be made of.

const LINK = /https:\/\/[^\s<>"]+/u
/** What ends a sentence, and no address. */
const AFTER = /[.,;:!?)\]}，。；：！？）】》”’]+$/u

/** The first one, if it is whole; undefined: there is none. */
export function linkIn(typed: string): string | undefined {
  const found = LINK.exec(typed)?.[0].replace(AFTER, '')
  if (!found || !URL.canParse(found)) return undefined
  const { host } = new URL(found)
  return host.includes('.') || host.startsWith('localhost') || host.includes(':') ? found : undefined
}
