export { begin, chosenLanguage, language, load, preferred, say, setLanguage } from './words.svelte'
export { clock, date, day, daysBetween, list, num, short, since, when } from './dates'
export { TAGS, type Language } from './fill'
export type { Chunk } from './chunks'
