import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { findFreePort, requireFreePort } from './free-port.ts'

describe('requireFreePort', () => {
  it('accepts a free port', async () => {
    await requireFreePort(await findFreePort(), '127.0.0.1')
    await requireFreePort(0, '127.0.0.1')
  })

  it('names a port that is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await expect(requireFreePort(port, '127.0.0.1')).rejects.toMatchObject({
      code: 'address_in_use',
      message: `port ${port} of 127.0.0.1 is already in use`,
    })
    server.close()
  })

  it('reports a host that is not an address of this machine', async () => {
    await expect(requireFreePort(0, '203.0.113.1')).rejects.toMatchObject({ code: 'configuration_invalid' })
  })
})
