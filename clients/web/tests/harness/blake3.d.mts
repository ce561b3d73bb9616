export function blake3(bytes: Uint8Array): Buffer
