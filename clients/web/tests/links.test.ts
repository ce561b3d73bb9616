// What people type and paste is read as they mean it, and nothing else is.

import { describe, expect, it } from 'vitest'
import { address, blockable, groupLink, invitation, several, user } from '../src/rooms/links'

describe('an address', () => {
  it('is a name with a domain, or a name alone', () => {
    expect(address('ann@a.example')).toEqual({ name: 'ann', domain: 'a.example' })
    expect(address(' Ann@A.Example ')).toEqual({ name: 'ann', domain: 'a.example' })
    expect(address('ann')).toEqual({ name: 'ann', domain: '' })
    expect(address('@ann@a.example')).toEqual({ name: 'ann', domain: 'a.example' })
    expect(address('ann@localhost:8443')).toEqual({ name: 'ann', domain: 'localhost:8443' })
    expect(user('ann', 'b.example')).toBe('ann@b.example')
  })
  it('typed full-width by an IME is meant all the same', () => {
    expect(address('ａｎｎ＠ａ．ｅｘａｍｐｌｅ')).toEqual({ name: 'ann', domain: 'a.example' })
  })
  it('may have a domain in any script', () => {
    expect(address('ann@例子.测试')).toEqual({ name: 'ann', domain: 'xn--fsqu00a.xn--0zwm56d' })
  })
  it.each(['', '@', 'ann@', '@a.example@', 'a b@c', '-ann@a.example', 'ann.@a.example', 'ann@a..example', 'ann@a/b', 'ann@a@b', 'x'.repeat(65)])(
    'is not %s',
    (text) => expect(address(text)).toBeUndefined(),
  )
})

describe('what can be blocked', () => {
  it('is a person or a whole domain', () => {
    expect(blockable('@spam.example', 'a.example')).toBe('@spam.example')
    expect(blockable('eve', 'a.example')).toBe('eve@a.example')
    expect(blockable('eve@spam.example', 'a.example')).toBe('eve@spam.example')
    expect(blockable('@', 'a.example')).toBeUndefined()
  })
})

it('several people are separated in any usual way', () => {
  expect(several('a@x, b；c、d\n e')).toEqual(['a@x', 'b', 'c', 'd', 'e'])
})

describe('an invitation', () => {
  it('is read from the whole link, its path or the secret', () => {
    expect(invitation('https://A.example:8443/join/Abc-_123')).toEqual({ secret: 'Abc-_123', host: 'a.example:8443' })
    expect(invitation('https://a.example/join/Abc?lang=zh')).toEqual({ secret: 'Abc', host: 'a.example' })
    expect(invitation('/join/Abc/')).toEqual({ secret: 'Abc' })
    expect(invitation('Abcdefgh')).toEqual({ secret: 'Abcdefgh' })
    expect(invitation('https://a.example/elsewhere/Abc')).toBeUndefined()
    expect(invitation('')).toBeUndefined()
  })
})

describe('a link into a group', () => {
  const group = 'abcdefghijklmnopqrstuvwxyz'
  it('names its home', () => {
    const link = `https://A.example:8443/group/${group}#s3cret_-`
    expect(groupLink(` ${link}\n`)).toEqual({ link, home: 'a.example:8443', group })
  })
  it('without a secret, or with a short group, is none', () => {
    expect(groupLink(`https://a.example/group/${group}`)).toBeUndefined()
    expect(groupLink('https://a.example/group/abc#x')).toBeUndefined()
  })
})
