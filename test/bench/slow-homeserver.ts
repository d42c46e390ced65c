// A Matrix homeserver that is slow: a real Synapse behind a proxy that holds every message up.

import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startMatrixFixture } from '@switchyard/testing'

export type SlowHomeserver = {
  /** What the notifier needs to report tasks there. */
  readonly env: Readonly<Record<string, string>>
  readonly close: () => Promise<void>
}

export const startSlowHomeserver = async (delayMs: number): Promise<SlowHomeserver> => {
  const matrix = await startMatrixFixture()
  const { hostname, port } = new URL(matrix.env.MATRIX_HOMESERVER_URL)
  const proxy = createServer((from, to) => {
    const pass = () => {
      const onward = request(
        { hostname, port, method: from.method, path: from.url, headers: from.headers },
        (answer) => {
          to.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(to)
        },
      )
      onward.on('error', () => to.destroy())
      to.on('close', () => onward.destroy())
      from.pipe(onward)
    }
    if (from.method === 'PUT') setTimeout(pass, delayMs)
    else pass()
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const { port: own } = proxy.address() as AddressInfo
  const roomId = await matrix.room()
  return {
    env: { ...matrix.env, MATRIX_HOMESERVER_URL: `http://127.0.0.1:${own}`, MATRIX_ROOM_ID: roomId },
    close: async () => {
      proxy.closeAllConnections()
      proxy.close()
      await matrix.close()
    },
  }
}
