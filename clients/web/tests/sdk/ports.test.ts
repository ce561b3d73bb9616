// Tabs and their worker where one tab leads: what was asked of a worker that went is asked of the next, if that does no harm.

import { afterEach, describe, expect, it, vi } from 'vitest'
import { ApiError } from '../../src/sdk/api'
import { TabSdk } from '../../src/sdk/tab'
import { joinChannel, serveChannel, type Channel, type Said } from '../../src/sdk/led'
import { Caller, thrown, type Down, type Up } from '../../src/sdk/ports'

/** Channels of one name: each hears what the others say, in order. */
class Air {
  readonly #ends = new Set<Channel>()
  end(): Channel & { close(): void } {
    const air = this
    const end: Channel & { close(): void } = {
      onmessage: null,
      postMessage(message: Said) {
        const copy = structuredClone(message)
        for (const other of air.#ends) if (other !== end) queueMicrotask(() => air.#ends.has(other) && other.onmessage?.({ data: copy }))
      },
      close: () => void air.#ends.delete(end),
    }
    this.#ends.add(end)
    return end
  }
}

function tab(air: Air, name: string, usurp?: () => void) {
  let carry: (up: Up) => void = () => undefined
  const caller: Caller = new Caller((up) => carry(up))
  carry = joinChannel(air.end(), name, () => caller, usurp)
  return { caller, sdk: new TabSdk(caller, () => 'led') }
}

/** A worker that notes what it is asked, and answers when told to. */
function worker(air: Air, epoch: string) {
  const asked: { up: Up; send: (down: Down) => void }[] = []
  const end = air.end()
  serveChannel(end, (send) => ({ up: (up) => void asked.push({ up, send }), leave: () => undefined }), epoch)
  const calls = () => asked.flatMap((a) => (a.up.k === 'call' ? [{ ...a, up: a.up }] : []))
  return { asked, calls, end }
}

const rest = () => new Promise((next) => setTimeout(next, 5))

describe('a led worker', () => {
  it('hears what was asked before it was there, once', async () => {
    const air = new Air()
    const one = tab(air, 'one')
    const value = one.sdk.setting('a')
    one.sdk.listen(() => undefined)
    await rest()
    const led = worker(air, 'first')
    await rest()
    expect(led.calls().map((c) => c.up.name)).toEqual(['setting'])
    expect(led.asked.filter((a) => a.up.k === 'listen')).toHaveLength(1)
    const call = led.calls()[0]
    call?.send({ k: 'value', id: call.up.id, value: 7 })
    expect(await value).toBe(7)
  })

  it('answers only who asked', async () => {
    const air = new Air()
    const led = worker(air, 'first')
    const [one, two] = [tab(air, 'one'), tab(air, 'two')]
    await rest()
    const values = [one.sdk.setting('of one'), two.sdk.setting('of two')]
    await rest()
    for (const c of led.calls()) c.send({ k: 'value', id: c.up.id, value: c.up.args[0] })
    expect(await Promise.all(values)).toEqual(['of one', 'of two'])
  })

  it('that goes leaves to the next what does no harm twice; of the rest nobody knows', async () => {
    const air = new Air()
    const one = tab(air, 'one')
    const first = worker(air, 'first')
    await rest()
    const heard: string[] = []
    one.sdk.listen((told) => heard.push(told.kind))
    const calls = one.sdk.account('a@b')
    const sent = calls.send({ ticket: 't', conversation: '1', content: new Uint8Array() })
    const made = calls.createGroup('g', []).catch((e: ApiError) => e.code)
    await rest()
    first.end.close()
    const second = worker(air, 'second')
    await rest()
    expect(await made).toBe('offline')
    expect(second.calls().map((c) => c.up.name)).toEqual(['send'])
    expect(second.asked.some((a) => a.up.k === 'listen')).toBe(true)
    const call = second.calls()[0]
    call?.send(thrown(call.up.id, new ApiError('blocked', { user: 'c@d' })))
    await expect(sent).rejects.toMatchObject({ code: 'blocked', params: { user: 'c@d' } })
    second.asked[0]?.send({ k: 'told', told: { kind: 'accounts', rows: [] } })
    await rest()
    expect(heard).toEqual(['accounts'])
  })

  describe('that falls asleep', () => {
    afterEach(() => void vi.useRealTimers())
    const begin = async () => {
      vi.useFakeTimers()
      const air = new Air()
      const usurp = vi.fn()
      const one = tab(air, 'one', usurp)
      const led = worker(air, 'first')
      await vi.advanceTimersByTimeAsync(0)
      return { one, led, usurp }
    }

    it('is followed soon by who asks something of it', async () => {
      const { one, led, usurp } = await begin()
      led.end.close()
      void one.sdk.setting('a')
      await vi.advanceTimersByTimeAsync(11_999)
      expect(usurp).not.toHaveBeenCalled()
      await vi.advanceTimersByTimeAsync(1)
      expect(usurp).toHaveBeenCalledTimes(1)
    })

    it('is followed though it answered what it was asked', async () => {
      const { one, led, usurp } = await begin()
      const value = one.sdk.setting('a')
      await vi.advanceTimersByTimeAsync(0)
      const call = led.calls()[0]
      call?.send({ k: 'value', id: call.up.id, value: 7 })
      expect(await value).toBe(7)
      led.end.close()
      await vi.advanceTimersByTimeAsync(24_000)
      expect(usurp).toHaveBeenCalledTimes(1)
      await vi.advanceTimersByTimeAsync(24_000)
      expect(usurp, 'and again, if the next one says nothing').toHaveBeenCalledTimes(2)
    })

    it('is not followed as long as it says that it is there', async () => {
      const { one, usurp } = await begin()
      await vi.advanceTimersByTimeAsync(300_000)
      void one.sdk.setting('a')
      await vi.advanceTimersByTimeAsync(300_000)
      expect(usurp).not.toHaveBeenCalled()
    })
  })

  it('is no promise, though it is awaited', async () => {
    const { sdk } = tab(new Air(), 'one')
    expect(await Promise.race([Promise.resolve(sdk.account('a@b')).then(() => 'there'), rest().then(() => 'hangs')])).toBe('there')
  })
})
