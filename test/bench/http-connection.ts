// A keep-alive HTTP connection with minimal client CPU: one write per request, and answers read by
// their content-length.

import { once } from 'node:events'
import { connect } from 'node:net'

export type HttpConnection = {
  /** Sends a POST with a JSON body. Resolves with the whole answer. */
  readonly post: (path: string, body: string) => Promise<{ readonly status: number; readonly body: string }>
  readonly close: () => void
}

const TIMEOUT_MS = 30_000

export const openConnection = async (url: string): Promise<HttpConnection> => {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  let text = ''
  let settle: { resolve: (text: string) => void; reject: (error: Error) => void } | undefined
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
    if (Number.isNaN(length)) return settle?.reject(new Error(`answer without content-length: ${text.slice(0, end)}`))
    if (Buffer.byteLength(text) < end + 4 + length) return
    const answer = text
    text = ''
    settle?.resolve(answer)
  })
  socket.on('error', (error) => settle?.reject(error))
  socket.on('close', () => settle?.reject(new Error('the connection was closed')))
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
  return {
    post: async (path, body) => {
      const answer = new Promise<string>((resolve, reject) => {
        settle = { resolve, reject }
      })
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      )
      const whole = await answer
      return { status: Number(whole.slice(9, 12)), body: whole.slice(whole.indexOf('\r\n\r\n') + 4) }
    },
    close: () => socket.destroy(),
  }
}
