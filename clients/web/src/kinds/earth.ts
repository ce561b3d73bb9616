// A place in words, and a drawing that stands for it: made of its numbers, the same each time, of no real street. Pure.

const degrees = (value: number, plus: string, minus: string): string => `${Math.abs(value).toFixed(5)}° ${value < 0 ? minus : plus}`
export const inWords = (latitude: number, longitude: number): string => `${degrees(latitude, 'N', 'S')}, ${degrees(longitude, 'E', 'W')}`

/** "31.2304, 121.4737", "31.2304 N 121.4737 E", a geo: link, or one to a map. */
export function fromWords(text: string): { latitude: number; longitude: number } | undefined {
  const plain = text.normalize('NFKC').trim()
  const geo = /(?:^geo:|[?&](?:mlat|q|ll)=|#map=\d+(?:\.\d+)?\/|@)?(-?\d{1,3}(?:\.\d+)?)°?\s*([NS])?\s*(?:[,;\/\s]|&mlon=)\s*(-?\d{1,3}(?:\.\d+)?)°?\s*([EW])?/i.exec(plain)
  if (!geo) return undefined
  const latitude = Number(geo[1]) * (geo[2]?.toUpperCase() === 'S' ? -1 : 1)
  const longitude = Number(geo[3]) * (geo[4]?.toUpperCase() === 'W' ? -1 : 1)
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : undefined
}

export interface Drawn { readonly water: string; readonly roads: readonly string[]; readonly blocks: readonly string[] }

export function drawn(latitude: number, longitude: number): Drawn {
  let seed = (Math.round(latitude * 1e4) * 73_856_093) ^ (Math.round(longitude * 1e4) * 19_349_663)
  const next = (from: number, to: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0
    return Math.round(from + ((seed >>> 8) / 0xffffff) * (to - from))
  }
  const across = (): string => `M${next(-20, 0)} ${next(10, 110)}C${next(60, 110)} ${next(-10, 130)} ${next(180, 240)} ${next(-10, 130)} 320 ${next(10, 110)}`
  const down = (): string => { const x = next(30, 270); return `M${x} -10L${x + next(-60, 60)} 130` }
  return {
    water: across(),
    roads: [`M-10 ${next(50, 74)}Q150 62 310 ${next(50, 74)}`, down(), down(), across(), down()],
    blocks: Array.from({ length: 9 }, () => { const [x, y, w, h] = [next(0, 280), next(0, 100), next(20, 60), next(14, 34)]; return `M${x} ${y}h${w}v${h}h-${w}z` }),
  }
}
