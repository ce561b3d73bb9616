import { expect, test } from 'vitest'
import { Composition, enterDoes, type Key } from '../../src/app/composer/keys'

const enter = (more: Partial<Key> = {}): Key => ({
  key: 'Enter', keyCode: 13, isComposing: false, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, timeStamp: 10_000, ...more,
})

test('Enter sends, Shift+Enter is a new line; the other way round if one chose so', () => {
  const c = new Composition()
  expect(enterDoes(enter(), 'enter', c)).toBe('send')
  expect(enterDoes(enter({ shiftKey: true }), 'enter', c)).toBe('newline')
  expect(enterDoes(enter(), 'ctrl-enter', c)).toBe('newline')
  expect(enterDoes(enter({ ctrlKey: true }), 'ctrl-enter', c)).toBe('send')
  expect(enterDoes(enter({ metaKey: true }), 'ctrl-enter', c)).toBe('send')
})

test('Enter that chooses a candidate does not send: Chrome and Firefox say so in the event', () => {
  const c = new Composition()
  c.start()
  expect(enterDoes(enter({ isComposing: true, keyCode: 229 }), 'enter', c)).toBe('none')
  c.end(10_000)
  expect(enterDoes(enter({ timeStamp: 10_500 }), 'enter', c)).toBe('send')
})

test('keyCode 229 alone is enough, for input methods that do not compose', () => {
  expect(enterDoes(enter({ keyCode: 229 }), 'enter', new Composition())).toBe('none')
})

test('Safari ends the composition first and then tells the same Enter: it does not send, the next one does', () => {
  const c = new Composition()
  c.start()
  c.end(10_000)
  expect(enterDoes(enter({ timeStamp: 10_004 }), 'enter', c)).toBe('none')
  expect(enterDoes(enter({ timeStamp: 10_020 }), 'enter', c)).toBe('send')
})

test('a key with 229 after the end of a composition was its last: the next Enter sends, however soon', () => {
  const c = new Composition()
  c.start()
  c.end(10_000)
  expect(enterDoes(enter({ keyCode: 229, timeStamp: 10_004 }), 'enter', c)).toBe('none')
  expect(enterDoes(enter({ timeStamp: 10_010 }), 'enter', c)).toBe('send')
})
