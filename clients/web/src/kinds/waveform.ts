// Loudness over time, as it is drawn and as it is sent. Pure.

/** What is sent at most. */
export const WAVEFORM_MAX = 128

/** So many bars, 0 to 1, of what was sent; of nothing: a line. */
export function bars(waveform: Uint8Array, count: number): number[] {
  if (waveform.length === 0) return Array.from({ length: count }, () => 0.08)
  const top = Math.max(40, ...waveform)
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * waveform.length) / count)
    const to = Math.max(from + 1, Math.floor(((i + 1) * waveform.length) / count))
    return Math.max(...waveform.subarray(from, to)) / top
  })
}

/** Out of as many levels (0 to 1) as were measured. */
export function waveformOf(levels: readonly number[], count = 96): Uint8Array {
  const wanted = Math.min(count, WAVEFORM_MAX, levels.length)
  return Uint8Array.from({ length: wanted }, (_, i) => {
    const from = Math.floor((i * levels.length) / wanted)
    const to = Math.max(from + 1, Math.floor(((i + 1) * levels.length) / wanted))
    return Math.round(255 * Math.min(1, Math.max(0, ...levels.slice(from, to))))
  })
}
