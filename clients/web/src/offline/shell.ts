// Which addresses are views of the client: the same rule as the node's (node/gateway/src/web/client.rs), so that the
// service worker answers for exactly those. What asks for a page without script goes to the server.

const NOT_PAGES = ['/v1/', '/.well-known/', '/assets/', '/files/']
const SERVERS_OWN = ['/health', '/healthz', '/ready']

export function isOurPage(url: URL): boolean {
  if (url.searchParams.has('plain') || url.searchParams.has('lang')) return false
  if (SERVERS_OWN.includes(url.pathname) || NOT_PAGES.some((prefix) => url.pathname.startsWith(prefix))) return false
  return !url.pathname.split('/').at(-1)?.includes('.')
}
