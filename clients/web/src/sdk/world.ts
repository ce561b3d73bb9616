// The world around the SDK: a browser's, or a test's. What runs in a worker runs in Node alike.

import type { OpenWire } from './socket'

export interface World {
  readonly factory: IDBFactory
  /** False: what is in it goes with this process. */
  readonly isKept: boolean
  readonly openWire: OpenWire
  readonly fetch: typeof fetch
  /** Where the page came from, as `https://host:port`; empty: from nowhere. */
  readonly origin: string
  readonly language: string
}
