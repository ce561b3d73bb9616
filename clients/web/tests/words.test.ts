// Both languages say everything, with the same places; plurals and places are filled as they should be.

import { describe, expect, it } from 'vitest'
import { CHUNKS, fetchChunk } from '../src/words/chunks'
import { fill, form, type Template } from '../src/words/fill'
import errorsEn from '../src/words/made/errors.en'
import errorsZh from '../src/words/made/errors.zh'
import linesEn from '../src/words/made/lines.en'
import linesZh from '../src/words/made/lines.zh'
import { line } from '../src/words/lines.svelte'

const forms = (template: unknown): string[] =>
  typeof template === 'string' ? [template] : Object.values(template as Record<string, string>)
const places = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1] as string))].sort()
const chinese = /[\u2e80-\uffef]/

describe.each(CHUNKS)('the words of %s', (chunk) => {
  it('exist in both languages with the same places', async () => {
    const [en, zh] = await Promise.all([fetchChunk(chunk, 'en'), fetchChunk(chunk, 'zh')])
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort())
    for (const key of Object.keys(en)) {
      const english = forms(en[key])
      const all = [...english, ...forms(zh[key])]
      for (const text of all) expect(text, `${chunk}.${key}`).not.toBe('')
      // "one person" may leave the number out; the full form may not.
      const full = places(english.at(-1) as string)
      for (const text of forms(zh[key])) expect(places(text), `${chunk}.${key}`).toEqual(full)
      for (const text of english) expect(full, `${chunk}.${key}`).toEqual(expect.arrayContaining(places(text)))
      expect(typeof en[key] === 'string', `${chunk}.${key}`).toBe(typeof zh[key] === 'string')
    }
  })

  it('are in their language', async () => {
    const [en, zh] = await Promise.all([fetchChunk(chunk, 'en'), fetchChunk(chunk, 'zh')])
    for (const key of Object.keys(en)) {
      for (const text of forms(en[key])) expect(/[\u3040-\u9fff]/.test(text.replace('中文', '')), `en ${chunk}.${key}`).toBe(false)
      for (const text of forms(zh[key])) {
        const bare = text.replace(/\{\w+\}/g, '').replace(/[\s\p{P}\p{S}\d]/gu, '')
        expect(bare === '' || chinese.test(text) || /^[A-Za-z]{1,12}$/.test(bare), `zh ${chunk}.${key}: ${text}`).toBe(true)
      }
    }
  })
})

describe('a template', () => {
  const members: Template = { one: '{n} member', other: '{n} members' }

  it('takes the plural form of its language', () => {
    expect(fill(members, { n: 1 }, 'en')).toBe('1 member')
    expect(fill(members, { n: 0 }, 'en')).toBe('0 members')
    expect(fill(members, { n: 10000 }, 'en')).toBe('10,000 members')
    expect(fill({ other: '{n} 位成员' }, { n: 1 }, 'zh')).toBe('1 位成员')
    expect(form(members, { n: 1 }, 'zh')).toBe('{n} members')
  })

  it('shows what is missing as an ellipsis, and never reads a value again', () => {
    expect(fill('{name} left', {}, 'en')).toBe('… left')
    expect(fill('{a} and {b}', { a: '{b}', b: 'x' }, 'en')).toBe('{b} and x')
  })
})

describe('tables made from the Rust side', () => {
  it('have every error in both languages', () => {
    expect(Object.keys(errorsZh)).toEqual(Object.keys(errorsEn))
    expect(fill(errorsEn['name-taken'] as string, { name: 'alice' }, 'en')).toBe('The name alice is taken.')
    for (const code of Object.keys(errorsEn)) expect(places(errorsZh[code] as string)).toEqual(places(errorsEn[code] as string))
  })

  it('have every line, with roles as words', () => {
    expect(Object.keys(linesZh)).toEqual(Object.keys(linesEn))
    const name = (user: string) => user.toUpperCase()
    const params = { who: 'bob', role: 'administrator' }
    expect(line(linesEn, 'group-role', params, 'Ann', name)).toBe('Ann made BOB an administrator')
    expect(line(linesZh, 'group-role', params, 'Ann', name)).toBe('Ann 将 BOB 设为管理员')
    expect(line(linesEn, 'of-tomorrow', {}, 'Ann', name)).toBe('Something happened that this version cannot show')
  })
})
