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

/** Of an entry of the browser's history: how many of ours lie before it, and how many before the one in which this page began. */
interface Step { readonly depth: number; readonly began: number }
const firstPart = (path: string): string => path.split('/')[1] ?? ''

class Router {
  #path = $state(typeof location === 'undefined' ? '/' : location.pathname)
  route = $derived(parse(this.#path))
  /** Whether going back stays here. */
  #step: Step = { depth: 0, began: 0 }

  begin(): () => void {
    this.#step = kept()
    const moved = () => {
      this.#step = kept()
      this.#path = location.pathname
    }
    addEventListener('popstate', moved)
    return () => removeEventListener('popstate', moved)
  }

  go(path: string, replace = false): void {
    if (path === location.pathname) return
    const depth = this.#step.depth + (replace ? 0 : 1)
    this.#step = { depth, began: firstPart(path) === firstPart(location.pathname) ? this.#step.began : depth }
    history[replace ? 'replaceState' : 'pushState'](this.#step, '', path)
    this.#path = path
  }

  /** One step back; to `otherwise` if there is none of ours. */
  back(otherwise = '/'): void {
    if (this.#step.depth > 0) history.back()
    else this.go(otherwise, true)
  }

  /** Out of a page with all its parts, to where one was before it; to `otherwise` if that is not ours. */
  leave(otherwise = '/'): void {
    const { depth, began } = this.#step
    if (began > 0) history.go(began - 1 - depth)
    else this.go(otherwise, true)
  }
}

function kept(): Step {
  const state = history.state as Partial<Step> | null
  return { depth: Number(state?.depth ?? 0), began: Number(state?.began ?? 0) }
}

export const router = new Router()
export const conversationPath = (id: string, details = false): string => `/c/${id}${details ? '/details' : ''}`
