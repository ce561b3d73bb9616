// Which menu is open: one at most. Whoever wants one says what is in it and where; `Menu.svelte` shows it.

import type { IconName } from './icons'

export interface MenuItem {
  words?: string
  icon?: IconName
  keys?: string
  act?: () => void
  danger?: boolean
  off?: boolean
  checked?: boolean
  /** A line between items, and nothing else. */
  rule?: boolean
  items?: MenuItem[]
}

/** Where a menu stands: at an element, or at a point. */
export interface Anchor {
  getBoundingClientRect(): DOMRect
}

export interface OpenMenu {
  label: string
  anchor: HTMLElement | Anchor
  items: MenuItem[]
  side?: 'top' | 'bottom' | 'left' | 'right'
  align?: 'start' | 'center' | 'end'
  reactions?: { label: string; emoji: readonly string[]; act: (emoji: string) => void }
  /** What has the focus afterwards. */
  back?: HTMLElement | null
}

class Menus {
  now = $state.raw<OpenMenu | undefined>()
  open(menu: OpenMenu): void {
    const active = document.activeElement
    this.now = { back: active instanceof HTMLElement ? active : null, ...menu }
  }
  close(): void {
    this.now = undefined
  }
}

export const menus = new Menus()

export function point(x: number, y: number): Anchor {
  return { getBoundingClientRect: () => new DOMRect(x, y, 0, 0) }
}
