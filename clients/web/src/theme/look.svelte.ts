// How the client looks on this device: theme, contrast, density, size of text, motion, which key sends.
//
// Kept in this browser and put on <html> as data attributes, which `tokens.css` follows. `system` follows the system's own
// wish, also while the page is open.

export type Theme = 'system' | 'light' | 'dark'
export type Contrast = 'system' | 'more'
export type Density = 'cosy' | 'compact'
export type Size = 's' | 'm' | 'l' | 'xl'
export type Motion = 'system' | 'less'
export type SendKey = 'enter' | 'ctrl-enter'

export interface Look {
  theme: Theme
  contrast: Contrast
  density: Density
  size: Size
  motion: Motion
  sendKey: SendKey
}

const KEPT = 'startalk.look'
const USUAL: Look = { theme: 'system', contrast: 'system', density: 'cosy', size: 'm', motion: 'system', sendKey: 'enter' }
const ALLOWED: { readonly [K in keyof Look]: readonly Look[K][] } = {
  theme: ['system', 'light', 'dark'],
  contrast: ['system', 'more'],
  density: ['cosy', 'compact'],
  size: ['s', 'm', 'l', 'xl'],
  motion: ['system', 'less'],
  sendKey: ['enter', 'ctrl-enter'],
}

export const look: Look = $state(kept())

/** Changes one setting, and keeps it. */
export function setLook<K extends keyof Look>(key: K, value: Look[K]): void {
  look[key] = value
  localStorage.setItem(KEPT, JSON.stringify(look))
  wear()
}

/** Whether movement is to be avoided: by choice here, or by the system's. */
export function calm(): boolean {
  return look.motion === 'less' || matches('(prefers-reduced-motion: reduce)')
}

/** Puts the look on the page, and follows the system and other tabs from now on. */
export function beginLook(): void {
  wear()
  for (const query of ['(prefers-color-scheme: dark)', '(prefers-contrast: more)', '(prefers-reduced-motion: reduce)'])
    matchMedia(query).addEventListener('change', wear)
  addEventListener('storage', (event) => {
    if (event.key !== KEPT) return
    Object.assign(look, kept())
    wear()
  })
}

function kept(): Look {
  const made = { ...USUAL }
  try {
    const read = JSON.parse(localStorage.getItem(KEPT) ?? '{}') as Record<string, unknown>
    for (const key of Object.keys(USUAL) as (keyof Look)[])
      if ((ALLOWED[key] as readonly unknown[]).includes(read[key])) Object.assign(made, { [key]: read[key] })
  } catch {
    // What cannot be read is as if nothing had been kept.
  }
  return made
}

function wear(): void {
  const root = document.documentElement
  set(root, 'theme', look.theme === 'system' ? undefined : look.theme)
  set(root, 'contrast', look.contrast === 'more' || matches('(prefers-contrast: more)') ? 'more' : undefined)
  set(root, 'density', look.density === 'compact' ? 'compact' : undefined)
  set(root, 'size', look.size === 'm' ? undefined : look.size)
  set(root, 'motion', calm() ? 'less' : undefined)
  const dark = look.theme === 'dark' || (look.theme === 'system' && matches('(prefers-color-scheme: dark)'))
  document.querySelector('meta[name="theme-color"]')?.setAttribute('content', dark ? '#101317' : '#eceef3')
}

function set(root: HTMLElement, name: string, value: string | undefined): void {
  if (value === undefined) delete root.dataset[name]
  else root.dataset[name] = value
}

const matches = (query: string): boolean => typeof matchMedia === 'function' && matchMedia(query).matches
