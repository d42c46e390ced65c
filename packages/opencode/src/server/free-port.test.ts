import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePort } from './free-port.ts'

const listen = async (port: number) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { close: () => new Promise<void>((resolve) => server.close(() => resolve())) }
}

describe('freePort', () => {
  it('returns the preferred port unless another process listens on it', async () => {
    const preferred = await freePort()
    expect(await freePort({ preferred })).toBe(preferred)
    const other = await listen(preferred)
    expect(await freePort({ preferred })).not.toBe(preferred)
    await other.close()
  })

  it('never returns a reserved port', async () => {
    const preferred = await freePort()
    expect(await freePort({ preferred, reserved: new Set([preferred]) })).not.toBe(preferred)
  })
})
