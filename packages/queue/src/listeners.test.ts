import { describe, expect, it, vi } from 'vitest'
import { Listeners } from './listeners.ts'

describe('Listeners', () => {
  it('calls the listeners of a topic in the order they were added, and no others', () => {
    const listeners = new Listeners<number>()
    const calls: string[] = []
    listeners.add('a', (value) => calls.push(`first ${value}`))
    listeners.add('a', (value) => calls.push(`second ${value}`))
    listeners.add('b', (value) => calls.push(`other ${value}`))
    listeners.emit('a', 1)
    listeners.emit('nobody', 2)
    expect(calls).toEqual(['first 1', 'second 1'])
  })

  it('treats the same function added twice as two subscriptions', () => {
    const listeners = new Listeners<number>()
    const listener = vi.fn()
    const unsubscribe = listeners.add('a', listener)
    listeners.add('a', listener)
    listeners.emit('a', 1)
    expect(listener).toHaveBeenCalledTimes(2)
    unsubscribe()
    listeners.emit('a', 2)
    expect(listener).toHaveBeenCalledTimes(3)
  })

  it('reports once that a topic has no listeners left, however often they unsubscribe', () => {
    const listeners = new Listeners<number>()
    const onEmpty = vi.fn()
    const first = listeners.add('a', () => {}, onEmpty)
    const second = listeners.add('a', () => {}, onEmpty)
    first()
    first()
    expect(onEmpty).not.toHaveBeenCalled()
    expect(listeners.has('a')).toBe(true)
    second()
    second()
    expect(onEmpty).toHaveBeenCalledTimes(1)
    expect(listeners.has('a')).toBe(false)
  })

  it('keeps a new subscription when an old one to the same topic unsubscribes again', () => {
    const listeners = new Listeners<number>()
    const old = listeners.add('a', () => {})
    old()
    const listener = vi.fn()
    listeners.add('a', listener)
    old()
    listeners.emit('a', 1)
    expect(listener).toHaveBeenCalledWith(1)
  })

  it('allows a listener to unsubscribe itself and others while a value is emitted', () => {
    const listeners = new Listeners<number>()
    const last = vi.fn()
    const unsubscribe = [
      listeners.add('a', () => {
        for (const each of unsubscribe) each()
      }),
      listeners.add('a', last),
    ]
    listeners.emit('a', 1)
    listeners.emit('a', 2)
    expect(last.mock.calls).toEqual([[1]])
  })
})
