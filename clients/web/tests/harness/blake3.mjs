// BLAKE3 of at most 64 bytes, for the fingerprint of a root key: one block, which is chunk and root at once.

const IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
const CHUNK_START = 1, CHUNK_END = 2, ROOT = 8

export function blake3(bytes) {
  if (bytes.length > 64) throw new RangeError('one block only')
  const block = Buffer.alloc(64)
  Buffer.from(bytes).copy(block)
  let words = Array.from({ length: 16 }, (_, i) => block.readUInt32LE(4 * i))
  const v = Uint32Array.from([...IV, ...IV.slice(0, 4), 0, 0, bytes.length, CHUNK_START | CHUNK_END | ROOT])
  const turn = (x, by) => (x >>> by) | (x << (32 - by))
  const mix = (a, b, c, d, x, y) => {
    v[a] += v[b] + x
    v[d] = turn(v[d] ^ v[a], 16)
    v[c] += v[d]
    v[b] = turn(v[b] ^ v[c], 12)
    v[a] += v[b] + y
    v[d] = turn(v[d] ^ v[a], 8)
    v[c] += v[d]
    v[b] = turn(v[b] ^ v[c], 7)
  }
  for (let round = 0; round < 7; round++) {
    const [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15] = words
    mix(0, 4, 8, 12, m0, m1), mix(1, 5, 9, 13, m2, m3), mix(2, 6, 10, 14, m4, m5), mix(3, 7, 11, 15, m6, m7)
    mix(0, 5, 10, 15, m8, m9), mix(1, 6, 11, 12, m10, m11), mix(2, 7, 8, 13, m12, m13), mix(3, 4, 9, 14, m14, m15)
    words = PERMUTATION.map((from) => words[from])
  }
  const out = Buffer.alloc(32)
  for (let i = 0; i < 8; i++) out.writeUInt32LE((v[i] ^ v[i + 8]) >>> 0, 4 * i)
  return out
}
