// The focus goes back to where it was when a dialog is shut. A browser does that for a dialog that is closed and stays; ours
// are taken out of the page.

import { tick } from 'svelte'

/** Called before the dialog is shown; what it gives is called when it is gone. `back`: where the focus was, if it was taken already. */
export function focusBack(back: Element | null = document.activeElement): () => void {
  return () => void tick().then(() => {
    const lost = document.activeElement === null || document.activeElement === document.body
    if (lost && back instanceof HTMLElement && back.isConnected) back.focus({ preventScroll: true })
  })
}
