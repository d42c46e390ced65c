import { describe, expect, it } from 'vitest'
import { KeyedMutex } from './keyed-mutex.ts'

describe('KeyedMutex', () => {
  it('runs work for one key in the order of the calls, one at a time', async () => {
    const mutex = new KeyedMutex()
    const first = Promise.withResolvers<void>()
    const log: string[] = []
    const results = [
      mutex.run('a', async () => {
        log.push('first starts')
        await first.promise
        log.push('first ends')
      }),
      mutex.run('a', async () => {
        log.push('second')
      }),
      mutex.run('b', async () => {
        log.push('other key')
        first.resolve()
      }),
    ]
    await Promise.all(results)
    expect(log).toEqual(['first starts', 'other key', 'first ends', 'second'])
  })

  it('reports an error to its caller and runs the next work all the same', async () => {
    const mutex = new KeyedMutex()
    const failing = mutex.run('a', async () => {
      throw new Error('no server')
    })
    const next = mutex.run('a', async () => 'started')
    await expect(failing).rejects.toThrow('no server')
    expect(await next).toBe('started')
  })
})
