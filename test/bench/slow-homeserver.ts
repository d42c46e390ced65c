// A slow Matrix homeserver: Synapse behind a proxy that delays every message.

import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startMatrixFixture } from '@switchyard/testing'

export type SlowHomeserver = {
  /** The notifier's settings for this homeserver. */
  readonly env: Readonly<Record<string, string>>
  readonly close: () => Promise<void>
}

export const startSlowHomeserver = async (delayMs: number): Promise<SlowHomeserver> => {
  const matrix = await startMatrixFixture()
  const { hostname, port } = new URL(matrix.env.MATRIX_HOMESERVER_URL)
  const proxy = createServer((incoming, response) => {
    const forward = () => {
      const upstream = request(
        { hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(response)
        },
      )
      upstream.on('error', () => response.destroy())
      response.on('close', () => upstream.destroy())
      incoming.pipe(upstream)
    }
    if (incoming.method === 'PUT') setTimeout(forward, delayMs)
    else forward()
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const { port: proxyPort } = proxy.address() as AddressInfo
  const roomId = await matrix.room()
  return {
    env: { ...matrix.env, MATRIX_HOMESERVER_URL: `http://127.0.0.1:${proxyPort}`, MATRIX_ROOM_ID: roomId },
    close: async () => {
      proxy.closeAllConnections()
      proxy.close()
      await matrix.close()
    },
  }
}
