// A template with its values. `{name}` is a place; a template with plural forms is an object, and the value `n` chooses
// the form by the language's own rules. Pure: no state, no language of its own.

export type Language = 'zh' | 'en'

/** What people choose; the tag is what the page and Intl are told. */
export const TAGS: Record<Language, string> = { zh: 'zh-CN', en: 'en' }

export type Plural = { readonly one: string; readonly other: string }
/** Chinese has one form; English two. */
export type Template = string | Plural | { readonly other: string }
export type Values = Readonly<Record<string, string | number>>

/** The names of the places of a template, as a type. */
export type Places<T> = T extends string ? PlacesOf<T> : T extends { readonly other: infer O } ? PlacesOf<O> | 'n' : never
type PlacesOf<S> = S extends `${string}{${infer P}}${infer Rest}` ? P | PlacesOf<Rest> : never

const rules = new Map<Language, Intl.PluralRules>()
const numbers = new Map<Language, Intl.NumberFormat>()

export function number(n: number, language: Language): string {
  let made = numbers.get(language)
  if (!made) numbers.set(language, (made = new Intl.NumberFormat(TAGS[language])))
  return made.format(n)
}

/** The form of a template for these values. */
export function form(template: Template, values: Values | undefined, language: Language): string {
  if (typeof template === 'string') return template
  let made = rules.get(language)
  if (!made) rules.set(language, (made = new Intl.PluralRules(TAGS[language])))
  const n = values?.['n']
  const which = made.select(typeof n === 'number' ? n : 0)
  return which === 'one' && 'one' in template ? template.one : template.other
}

/** In words. A value that is missing is an ellipsis, as in the other programs. */
export function fill(template: Template, values: Values | undefined, language: Language): string {
  return form(template, values, language).replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values?.[name]
    if (value === undefined) return '…'
    return typeof value === 'number' ? number(value, language) : value
  })
}
