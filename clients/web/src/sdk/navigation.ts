// What the domain says of itself, read again when it has changed: the record that other domains verify. Here the connection,
// whose certificate the browser has checked, says whose it is; the bytes are read as any foreign bytes.

import { fromBinary } from '@bufbuild/protobuf'
import type { NavigationRow } from './api'
import { readRecord } from './find'
import { RecordSchema, SignedRecordSchema } from './made/startalk/trust_pb'
import type { Socket } from './socket'

/** Asks for the record; undefined: it is none, or of another domain than `user`'s. */
export async function navigationOf(socket: Socket, user: string): Promise<NavigationRow | undefined> {
  const { record: bytes } = await socket.ask({ case: 'getNavigation', value: {} }, 'navigation')
  return readNavigation(bytes, user)
}

/** What a SignedRecord says to clients; foreign bytes never throw. */
export function readNavigation(bytes: Uint8Array, user: string): NavigationRow | undefined {
  const read = readRecord(bytes)
  if (!read || read.domain !== user.slice(user.lastIndexOf('@') + 1)) return undefined
  const record = fromBinary(RecordSchema, fromBinary(SignedRecordSchema, bytes).record)
  const colour = record.navigation?.colour ?? ''
  return {
    sequence: String(record.sequence),
    displayName: record.displayName,
    registration: record.registration,
    description: record.description,
    colour: /^#[0-9a-f]{6}$/.test(colour) ? colour : '',
    fileBytesMax: Number(record.navigation?.fileBytesMax ?? 0n),
    groupMembersMax: Number(record.navigation?.groupMembersMax ?? 0n),
    trialDays: record.navigation?.trial?.accountDays ?? 0,
  }
}
