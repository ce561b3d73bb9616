// Saving a file on this machine. A small one is fetched, so that one sees how far it is; a large one the browser saves by
// itself, with its own progress.

import type { FileRef } from '../app/content'
import type { Talk } from '../app/model'
import { told } from '../rooms/node'
import { errorWords, loadErrors } from '../words/errors.svelte'
import { doorOf, type Place } from './door.svelte'

/** Larger ones are left to the browser. */
const FETCHED_MAX = 64 * 1000 * 1000
/** How long a browser may take to begin to save what was made in memory. */
const TAKEN_MS = 60_000

export class Saving {
  busy = $state(false)
  done = $state(0)
  part = $state(0)
  /** In words; empty: none. */
  problem = $state('')
  #end: AbortController | undefined

  async save(talk: Talk, place: Place, file: FileRef): Promise<void> {
    if (this.busy) return
    this.problem = ''
    const door = doorOf(talk)
    this.busy = true
    this.done = 0
    this.part = 0
    try {
      await door.access()
      const direct = file.size > FETCHED_MAX ? door.saving(place, file) : undefined
      if (direct) return click(direct, file.name)
      this.#end = new AbortController()
      const blob = await door.bytes(place, file, (done) => { this.done = done; this.part = file.size > 0 ? done / file.size : 1 }, this.#end.signal)
      saveBlob(blob, file.name)
    } catch (error) {
      if ((error as { code?: string; name?: string }).code === 'cancelled' || (error as Error).name === 'AbortError') return
      await loadErrors().catch(() => undefined)
      this.problem = errorWords(told(error))
    } finally {
      this.busy = false
    }
  }
  cancel(): void {
    this.#end?.abort()
  }
}

/** Several, one after the other. */
export async function saveAll(talk: Talk, all: readonly { readonly place: Place; readonly file: FileRef }[]): Promise<void> {
  const door = doorOf(talk)
  await door.access()
  for (const { place, file } of all) {
    const direct = file.size > FETCHED_MAX ? door.saving(place, file) : undefined
    if (direct) click(direct, file.name)
    else saveBlob(await door.bytes(place, file), file.name)
  }
}

export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob)
  click(url, name)
  setTimeout(() => URL.revokeObjectURL(url), TAKEN_MS)
}

function click(url: string, name: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = name || 'file'
  link.hidden = true
  document.body.append(link)
  link.click()
  link.remove()
}
