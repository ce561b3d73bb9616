// What tests in TypeScript use of media.mjs.
export function png(width: number, height: number, hue?: number): Buffer
export function bytes(length: number, seed?: number): Buffer
export function wav(seconds: number): Buffer
