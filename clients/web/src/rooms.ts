// The doors to everything beside talking. Each loads its view and its words together, when it is first asked for.
//
// `open.settings()` resolves to a component, ready to be mounted; what it wants is in its own file.

import { untrack } from 'svelte'
import { load, type Chunk } from './words'

async function view<T>(chunks: Chunk[], module: () => Promise<{ default: T }>): Promise<T> {
  // What is in a view stays there when the language changes: loading follows nothing.
  const [made] = await Promise.all([module(), untrack(() => load(...chunks))])
  return made.default
}

export const open = {
  /** Ways in; fills the page. */
  enter: () => view(['enter', 'people'], () => import('./enter/Enter.svelte')),
  /** Dialogs. */
  accounts: () => view(['enter', 'people'], () => import('./enter/Accounts.svelte')),
  signOut: () => view(['enter', 'people'], () => import('./enter/SignOut.svelte')),
  begin: () => view(['people'], () => import('./people/Begin.svelte')),
  person: () => view(['people'], () => import('./people/Card.svelte')),
  requests: () => view(['people'], () => import('./people/Requests.svelte')),
  newGroup: () => view(['groups', 'people'], () => import('./groups/NewGroup.svelte')),
  joinGroup: () => view(['groups', 'people'], () => import('./groups/Join.svelte')),
  groupInvitations: () => view(['groups', 'people'], () => import('./groups/Invitations.svelte')),
  /** Searching: everywhere, and within a conversation. */
  find: () => view(['find'], () => import('./find/Find.svelte')),
  findHere: () => view(['find'], () => import('./find/FindHere.svelte')),
  /** Fill what they are put into. */
  settings: () => view(['settings', 'people'], () => import('./settings/Settings.svelte')),
  admin: () => view(['admin', 'people', 'groups'], () => import('./admin/Admin.svelte')),
  group: () => view(['groups', 'people'], () => import('./groups/GroupPane.svelte')),
  /** Messages that are more than words, and what opens out of them. */
  kind: () => view(['media'], () => import('./kinds/Kind.svelte')),
  burns: () => view(['media'], () => import('./attach/Burns.svelte')),
  pick: () => view(['media'], () => import('./stickers/Pick.svelte')),
  card: () => view(['media'], () => import('./attach/Card.svelte')),
  viewer: () => view(['media'], () => import('./viewer/Viewer.svelte')),
  attach: () => view(['media'], () => import('./attach/AttachSheet.svelte')),
  recorder: () => view(['media'], () => import('./attach/Recorder.svelte')),
  forward: () => view(['media'], () => import('./app/Forward.svelte')),
  files: () => view(['media'], () => import('./files/FilesPanel.svelte')),
  /** What is said later, kept for later, or told of later: a door of doors. */
  later: async () => {
    const doors = await import('./later/doors')
    await untrack(doors.ready)
    return doors
  },
  /** Over the list, where the domain is for trying. */
  trial: () => view(['trial'], () => import('./app/Trial.svelte')),
  groupEntries: () => view(['groups'], () => import('./groups/Entries.svelte')),
}
