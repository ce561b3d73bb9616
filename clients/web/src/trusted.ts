// The addresses of our own workers, as the page's policy wants them (Trusted Types). The one place besides the framework
// that makes something trusted: only files of this origin, which the build made.

interface Policy {
  createScriptURL(url: string): unknown
}

const factory = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: object): Policy } }).trustedTypes

const policy = factory?.createPolicy('startalk-worker', {
  createScriptURL(url: string): string {
    const parsed = new URL(url, location.origin)
    if (parsed.origin !== location.origin) throw new TypeError(`not a worker of ours: ${parsed.origin}`)
    return parsed.href
  },
})

/** For `new Worker`, `new SharedWorker` and `serviceWorker.register`. */
export function scriptUrl(url: string): string {
  return (policy?.createScriptURL(url) ?? url) as string
}
