// Runs the egress proxy as a process, in front of a server that breaks the protocol in many ways.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const MAIN = path.join(import.meta.dirname, 'main.ts')
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'
const WHOLE = { status: 200, text: 'ok', isWhole: true }

/** The server's answers by path. */
const ANSWERS: Readonly<Record<string, (socket: Socket, request: string) => unknown>> = {
  '/ok': (socket) => socket.end(OK),
  '/status-0': (socket) => socket.end('HTTP/1.1 000 X\r\n\r\n'),
  '/status-999': (socket) => socket.end('HTTP/1.1 999 X\r\n\r\n'),
  '/trailers': (socket) => socket.end('HTTP/1.1 200 OK\r\nTrailer: x\r\nContent-Length: 2\r\n\r\nok'),
  '/another-protocol': (socket) => socket.end(SWITCHED),
  '/no-http': (socket) => socket.end('SSH-2.0-x\r\n'),
  '/nothing': (socket) => socket.end(),
  '/ends-early': (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning', () => socket.destroy()),
  '/if-plain': (socket, request) =>
    socket.end(/^(trailer|te|upgrade|connection: upgrade)\b/im.test(request) ? SWITCHED : OK),
}

type Got = { readonly status: number; readonly text: string; readonly isWhole: boolean }

describe('the egress proxy', () => {
  let server: Server
  let near: string
  let child: ChildProcess
  let port: number

  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.on('data', (data) => {
        const received = data.toString('latin1')
        ANSWERS[received.split(' ')[1] ?? '']?.(socket, received)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    near = `127.0.0.1:${(server.address() as AddressInfo).port}`
    child = spawn(process.execPath, [MAIN, '--port=0', `--allow=${near}`, '--deny=9.9.9.9,2620:fe::/48'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (!child.stdout) throw new Error('the proxy has no output')
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    port = Number(/listening on port (\d+)/.exec(line)?.[1])
  })

  afterAll(async () => {
    server.close()
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill()
    await once(child, 'exit')
  })

  const get = (url: string, headers: Readonly<Record<string, string>> = {}): Promise<Got> =>
    new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port, path: url, headers, agent: false }, (answer) => {
        let text = ''
        answer.setEncoding('latin1').on('data', (chunk: string) => {
          text += chunk
        })
        // Emitted for an answer that ends early.
        answer.on('error', () => undefined)
        answer.once('close', () => resolve({ status: answer.statusCode ?? 0, text, isWhole: answer.complete }))
      })
      outgoing.once('error', reject)
      outgoing.end()
    })

  it.each([
    ['/status-0', 502],
    ['/status-999', 502],
    ['/trailers', 200],
    ['/another-protocol', 502],
    ['/no-http', 502],
    ['/nothing', 502],
  ])('keeps serving others after a server answers with %s', async (path, status) => {
    expect(await get(`http://${near}${path}`)).toMatchObject({ status })
    expect(await get(`http://${near}/ok`)).toEqual(WHOLE)
  })

  it('keeps serving others after a container sends trailers, and forwards no request for another protocol', async () => {
    const url = `http://${near}/if-plain`
    expect(await get(url, { Connection: 'Upgrade', Upgrade: 'x', TE: 'trailers' })).toEqual(WHOLE)
    // Written by hand: Node's client sends no trailers without a body.
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${url} HTTP/1.1\r\nHost: x\r\nTrailer: x\r\nConnection: close\r\n\r\n`)
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /)
    socket.destroy()
    expect(await get(url)).toEqual(WHOLE)
  })

  it('closes the connection when the server ends its answer early', async () => {
    expect(await get(`http://${near}/ends-early`)).toMatchObject({ status: 200, isWhole: false })
  })

  it('refuses a private address that is not in EGRESS_ALLOW', async () => {
    const text = expect.stringContaining('EGRESS_ALLOW')
    expect(await get('http://127.0.0.1:1/')).toMatchObject({ status: 403, text })
  })

  it.each(['9.9.9.9', '[2620:fe::fe]'])('refuses %s, which is public and in EGRESS_DENY', async (address) => {
    const text = expect.stringContaining('EGRESS_DENY')
    expect(await get(`http://${address}:1/`)).toMatchObject({ status: 403, text })
  })
})
