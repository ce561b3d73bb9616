// Where one is: the path of the page. On a phone each step in is a step of the browser's history, so that the system's
// own way back works.

export type Route =
  | { at: 'list' }
  | { at: 'conversation'; id: string; details: boolean }
  | { at: 'page'; page: string; rest: string[] }

export function parse(path: string): Route {
  const parts = path.split('/').filter(Boolean)
  if (parts[0] === 'c' && parts[1] !== undefined && /^\d{1,20}$/.test(parts[1])) return { at: 'conversation', id: parts[1], details: parts[2] === 'details' }
  if (parts[0] !== undefined && parts[0] !== 'index.html') return { at: 'page', page: parts[0], rest: parts.slice(1) }
  return { at: 'list' }
}

class Router {
  #path = $state(typeof location === 'undefined' ? '/' : location.pathname)
  route = $derived(parse(this.#path))
  /** How many steps of ours lie behind: whether going back stays here. */
  #depth = 0

  begin(): () => void {
    this.#depth = Number((history.state as { depth?: number } | null)?.depth ?? 0)
    const moved = () => {
      this.#depth = Number((history.state as { depth?: number } | null)?.depth ?? 0)
      this.#path = location.pathname
    }
    addEventListener('popstate', moved)
    return () => removeEventListener('popstate', moved)
  }

  go(path: string, replace = false): void {
    if (path === location.pathname) return
    if (!replace) this.#depth += 1
    history[replace ? 'replaceState' : 'pushState']({ depth: this.#depth }, '', path)
    this.#path = path
  }

  /** One step back; to `otherwise` if there is none of ours. */
  back(otherwise = '/'): void {
    if (this.#depth > 0) history.back()
    else this.go(otherwise, true)
  }
}

export const router = new Router()
export const conversationPath = (id: string, details = false): string => `/c/${id}${details ? '/details' : ''}`
