// What tests in TypeScript use of node.mjs.
export class Node {
  constructor(parts: { programs: string; folder: string; domain: string })
  readonly domain: string
  readonly data: string
  readonly port: number
  peers: string[]
  readonly gate: { readonly port: number; open(): Promise<void>; close(): void; cut(): void; mend(): void; hold(): void }
  start(): Promise<this>
  stop(): Promise<void>
  kill(): Promise<void>
  invitation(): Promise<string>
}
