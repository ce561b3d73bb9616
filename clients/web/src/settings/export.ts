// The archive of the account, fetched with the device's token and given to the browser to save. Whether it is whole is seen by its last
// line: a connection that is cut leaves it out.

import { bearer } from '../files/door.svelte'
import type { Node } from '../rooms/node'
import { ApiError } from '../sdk/api'

const TAIL_BYTES = 4096

export async function exportTo(node: Pick<Node, 'fileAccess' | 'user'>): Promise<void> {
  const access = await node.fileAccess()
  let archive: Blob
  try {
    const answer = await fetch(`${access.base}/files/export`, { credentials: 'omit', cache: 'no-store', headers: bearer(access) })
    if (!answer.ok) {
      const said = (await answer.json().catch(() => undefined)) as { error?: { code: string; params: Record<string, string> } } | undefined
      throw new ApiError(said?.error?.code ?? 'failed', said?.error?.params ?? { why: `HTTP ${answer.status}` })
    }
    archive = await answer.blob()
  } catch (error) {
    if (error instanceof ApiError) throw error
    throw new ApiError('offline')
  }
  const last = (await archive.slice(-TAIL_BYTES).text()).trimEnd().split('\n').at(-1) ?? ''
  if (!last.startsWith('{') || !last.includes('"kind":"end"')) throw new ApiError('offline')
  const link = document.createElement('a')
  link.href = URL.createObjectURL(archive)
  link.download = `startalk-${node.user.replace('@', '-')}-${new Date().toISOString().slice(0, 10)}.jsonl`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
