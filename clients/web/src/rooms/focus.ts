// Where the focus begins in a dialog: in its first field, once the dialog is shown. Not where a keyboard would come up on
// the screen and cover what is to be read first.

import { tick } from 'svelte'

export function firstField(form: HTMLElement): void {
  if (matchMedia('(pointer: coarse)').matches) return
  void tick().then(() => form.querySelector<HTMLElement>('input:not([type=radio]):not([type=checkbox]):not([tabindex="-1"]), textarea')?.focus())
}
