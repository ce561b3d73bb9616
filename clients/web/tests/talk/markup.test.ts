import { expect, test } from 'vitest'
import { BOLD, BULLET, CODE, HEADING, ITALIC, NUMBERED, onlyEmoji, plain, QUOTE, safeLink, STRIKE, type Said } from '../../src/app/content'
import { toContent, toTyped } from '../../src/app/composer/markup'

const inlines = (typed: string, mentions?: Map<string, string>) => {
  const said = toContent(typed, mentions)
  return said?.kind === 'text' ? said.blocks[0]!.inlines.map((one) => [one.text, one.marks || one.link || one.mention || 0]) : said
}
const kinds = (typed: string) => { const said = toContent(typed); return said?.kind === 'text' ? said.blocks.map((b) => [b.kind, b.level, b.inlines.map((i) => i.text).join('')]) : said }

test('marks become structure', () => {
  expect(inlines('a **b** *c* ~~d~~ `e`')).toEqual([['a ', 0], ['b', BOLD], [' ', 0], ['c', ITALIC], [' ', 0], ['d', STRIKE], [' ', 0], ['e', CODE]])
  expect(inlines('**粗体**和*斜体*')).toEqual([['粗体', BOLD], ['和', 0], ['斜体', ITALIC]])
  expect(inlines('**a *b***')).toEqual([['a ', BOLD], ['b', BOLD | ITALIC]])
})

test('what is not clearly a mark stays as it is', () => {
  for (const typed of ['2*3*4', 'a_b_c', '*', '**', 'a * b * c', '`', 'x ~~ y', 'snake_case_name and_more'])
    expect(inlines(typed)).toEqual([[typed, 0]])
})

test('blocks', () => {
  expect(kinds('# t\n> q\n>> qq\n- a\n  - b\n1. c\nd')).toEqual([
    [HEADING, 0, 't'], [QUOTE, 0, 'q'], [QUOTE, 1, 'qq'], [BULLET, 0, 'a'], [BULLET, 1, 'b'], [NUMBERED, 0, 'c'], [0, 0, 'd'],
  ])
})

test('a fence alone is code; in a text it is a paragraph of code; unclosed it is text', () => {
  expect(toContent('```rust\nlet a = 1;\n\nb\n```')).toEqual({ kind: 'code', language: 'rust', source: 'let a = 1;\n\nb' })
  const mixed = toContent('see\n```\na\nb\n```\nend')
  expect(mixed?.kind === 'text' && mixed.blocks.map((b) => b.inlines[0]?.marks)).toEqual([0, CODE, 0])
  expect(kinds('```js\nabc')).toEqual([[0, 0, '```js'], [0, 0, 'abc']])
})

test('links: only these schemes, and Chinese punctuation ends one', () => {
  expect(inlines('看 https://a.example/x?y=1，谢谢')).toEqual([['看 ', 0], ['https://a.example/x?y=1', 'https://a.example/x?y=1'], ['，谢谢', 0]])
  expect(inlines('(https://a.example/b).')).toEqual([['(', 0], ['https://a.example/b', 'https://a.example/b'], [').', 0]])
  expect(inlines('[words](https://a.example/)')).toEqual([['words', 'https://a.example/']])
  expect(inlines('[x](javascript:alert(1))')).toEqual([['[x](javascript:alert(1))', 0]])
  for (const bad of ['javascript:alert(1)', 'data:text/html,x', 'HTTPS://a.example', ' https://a', 'vbscript:x', 'https://', '//a.example']) expect(safeLink(bad)).toBeUndefined()
})

test('those who are called, the longest name first, and not inside of an address', () => {
  const known = new Map([['@Ann', 'ann@a.example'], ['@Ann Lee', 'lee@a.example']])
  expect(inlines('hi @Ann Lee and @Ann', known)).toEqual([['hi ', 0], ['@Ann Lee', 'lee@a.example'], [' and ', 0], ['@Ann', 'ann@a.example']])
  expect(inlines('x@Ann', known)).toEqual([['x@Ann', 0]])
})

test('nothing is nothing, and control characters are left out', () => {
  for (const empty of ['', '   ', '\n\n', '\u0007']) expect(toContent(empty)).toBeUndefined()
  expect(inlines('a\u0000b\u0085c')).toEqual([['abc', 0]])
})

test('what was said can be edited and means the same when nothing is changed', () => {
  const mentions = new Map([['@Ann', 'ann@a.example'], ['@所有人', '@all']])
  for (const typed of [
    'plain', 'a **b** *c* ~~d~~ `e_f`', '# h\n> q\n- a\n  - b\n1. c\n2. d', '```py\nx\n```', 'see\n```\na\nb\n```\nend', 'hi @Ann 和 @所有人', '[w](https://a.example/) https://b.example/c_d_e',
    '2*3*4 and a_b_c', 'two *stars* and * one', '', 'a\n\nb', '\\*not\\* italic', 'C:\\dir\\file', '中文，**粗**。', '**a *b***', '**b** *c*', '~~**x** y~~ z', '**a** **b**',
  ]) {
    const said = toContent(typed, mentions)
    if (!said) continue
    const again = toTyped(said)
    expect(toContent(again.typed, again.mentions), typed).toEqual(said)
  }
})

test('as plain text, and large if it is emoji only', () => {
  expect(plain(toContent('- a\n- b\n1. c') as Said)).toBe('• a\n• b\n1. c')
  expect(onlyEmoji(toContent('👍🏽 🎉') as Said)).toBe(true)
  for (const not of ['ok 👍', '123', '👍👍👍👍', '#']) expect(onlyEmoji(toContent(not) as Said)).toBe(false)
})
