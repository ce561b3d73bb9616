// Going to a provider and coming back: what this window keeps meanwhile, and what the address says when it is back.
//
// The window keeps 32 random bytes and shows their hash when it begins. What comes back is of use only with them: an address
// that somebody else made, or that is opened in another window, opens nothing.

const KEPT = 'startalk.outside'
const BACK = /^#enter=([\w-]{1,64})$/

interface Kept { readonly verifier: string; readonly device: string }
export interface Back { readonly ticket: string; readonly verifier: Uint8Array; readonly device: string }

/** Leaves this page for the provider's; ends when the browser goes, or with why it does not. */
export async function leave(begin: (challenge: Uint8Array) => Promise<string>, device = ''): Promise<void> {
  const verifier = crypto.getRandomValues(new Uint8Array(32))
  const url = await begin(new Uint8Array(await crypto.subtle.digest('SHA-256', verifier)))
  sessionStorage.setItem(KEPT, JSON.stringify({ verifier: btoa(String.fromCharCode(...verifier)), device } satisfies Kept))
  location.assign(url)
}

/** Whether the address says that somebody comes back. */
export const isBack = (): boolean => BACK.test(location.hash)

/** What was brought back, once: neither the address nor the window has it afterwards. */
export function takeBack(): Back | undefined {
  const ticket = BACK.exec(location.hash)?.[1]
  if (!ticket) return undefined
  history.replaceState(history.state, '', location.pathname)
  let kept: Kept | undefined
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null') as Kept | undefined
    sessionStorage.removeItem(KEPT)
  } catch {
    kept = undefined
  }
  // Another window's: the node says what that means.
  const verifier = Uint8Array.from(atob(kept?.verifier ?? ''), (c) => c.charCodeAt(0))
  return { ticket, verifier, device: kept?.device ?? '' }
}
