// Frames to bytes and back (docs/client-protocol.md). Foreign bytes never throw here: what cannot be read is `undefined`,
// and the connection that sent it is ended.

import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { ApiError } from './api'
import { ClientFrameSchema, ServerFrameSchema, type ClientFrame, type Error as WireError, type ServerFrame } from './made/startalk/client_pb'

/** As `Welcome.frame_bytes_max`, until the node has said its own. */
export const FRAME_BYTES_MAX = 262_144
/** As `Welcome.outstanding_max`, likewise. */
const OUTSTANDING_MAX = 64
/** Of a node that says more, no more than this is believed: bytes of a frame, and commands without an answer. */
const FRAME_BYTES_BELIEVED = 16 * 1_048_576
const OUTSTANDING_BELIEVED = 1024

/** The node's limits, from what it said of itself. */
export function limits(said: { readonly frameBytesMax?: number; readonly outstandingMax?: number } | undefined): { frameBytesMax: number; outstandingMax: number } {
  return {
    frameBytesMax: Math.min(said?.frameBytesMax || FRAME_BYTES_MAX, FRAME_BYTES_BELIEVED),
    outstandingMax: Math.min(said?.outstandingMax || OUTSTANDING_MAX, OUTSTANDING_BELIEVED),
  }
}

/** Parameters of the error `too-large`, as the node says them. */
export function tooLarge(frame: Uint8Array, max: number): Record<string, string> {
  return { what: 'frame', got: String(frame.length), max: String(max) }
}

export type Ask = NonNullable<MessageInitShape<typeof ClientFrameSchema>['frame']>
export type AskCase = NonNullable<Ask['case']>
export type Answer = ServerFrame['frame']
export type AnswerCase = NonNullable<Answer['case']>
export type AnswerOf<C extends AnswerCase> = Extract<Answer, { case: C }>['value']

export function encode(id: number, frame: Ask): Uint8Array<ArrayBuffer> {
  return toBinary(ClientFrameSchema, create(ClientFrameSchema, { id: BigInt(id), frame }))
}

/** What an ask looks like without a number: how the outbox keeps it, to be sent again unchanged. */
export function keepAsk(frame: Ask): Uint8Array<ArrayBuffer> {
  return encode(0, frame)
}

/** The same ask under a number. */
export function numbered(id: number, kept: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = fromBinary(ClientFrameSchema, kept)
  frame.id = BigInt(id)
  return toBinary(ClientFrameSchema, frame)
}

export function readAsk(kept: Uint8Array): ClientFrame['frame'] {
  return fromBinary(ClientFrameSchema, kept).frame
}

export function decode(bytes: Uint8Array, bytesMax: number): ServerFrame | undefined {
  if (bytes.byteLength > bytesMax) return undefined
  try {
    return fromBinary(ServerFrameSchema, bytes)
  } catch {
    return undefined
  }
}

export function problem(error: WireError): ApiError {
  return new ApiError(error.code || 'internal', error.params)
}
