// Runs the egress proxy as a process behind a proxy of the operator's own.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createBypass, readUpstream } from './upstream.ts'

const MAIN = path.join(import.meta.dirname, 'main.ts')
const AUTHORIZATION = `Basic ${Buffer.from('user:pass word').toString('base64')}`

describe('the egress proxy behind a proxy of the operator', () => {
  let operators: Server
  let child: ChildProcess
  let port: number
  let near: string
  const received: { readonly target: string; readonly authorization: string | undefined }[] = []

  beforeAll(async () => {
    const note = (target: string | undefined, authorization: string | undefined) =>
      void received.push({ target: target ?? '', authorization })
    operators = createServer((incoming, answer) => {
      note(incoming.url, incoming.headers['proxy-authorization'])
      answer.end('from the proxy in front')
    })
    operators.on('connect', (incoming, socket: Socket) => {
      note(incoming.url, incoming.headers['proxy-authorization'])
      socket.on('error', () => socket.destroy())
      if (incoming.url?.startsWith('refused.')) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
      return socket.write('HTTP/1.1 200 OK\r\n\r\nhello', () => socket.pipe(socket))
    })
    await new Promise<void>((resolve) => operators.listen(0, '127.0.0.1', resolve))
    near = `127.0.0.1:${(operators.address() as AddressInfo).port}`
    const proxy = `http://user:pass%20word@${near}`
    child = spawn(process.execPath, [MAIN, '--port=0', `--allow=${near}`, '--deny=9.9.9.9'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: 'localhost, .direct.example' },
    })
    if (!child.stdout) throw new Error('the proxy has no output')
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    port = Number(/listening on port (\d+)/.exec(line)?.[1])
  })

  beforeEach(() => {
    received.length = 0
  })

  afterAll(async () => {
    operators.closeAllConnections()
    operators.close()
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill()
    await once(child, 'exit')
  })

  const get = (url: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port, path: url, agent: false }, (answer) => {
        let text = `${answer.statusCode} `
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        answer.once('end', () => resolve(text))
      })
      outgoing.once('error', reject)
      outgoing.end()
    })

  const openTunnel = async (authority: string): Promise<{ readonly socket: Socket; readonly text: string }> => {
    const socket = connect(port, '127.0.0.1')
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    let text = ''
    while (!/hello|HTTP.* [45]/.test(text)) text += String((await once(socket, 'data'))[0])
    return { socket, text }
  }

  it('passes plain requests on to it, with its user and password', async () => {
    expect(await get('http://1.1.1.1/path?a=b')).toBe('200 from the proxy in front')
    expect(received).toEqual([{ target: 'http://1.1.1.1/path?a=b', authorization: AUTHORIZATION }])
  })

  it('opens tunnels through it, and keeps what the server sends first', async () => {
    const { socket, text } = await openTunnel('1.1.1.1:443')
    expect(text).toBe('HTTP/1.1 200 Connection Established\r\n\r\nhello')
    socket.write('ping')
    expect(String((await once(socket, 'data'))[0])).toBe('ping')
    socket.destroy()
    expect(received).toEqual([{ target: '1.1.1.1:443', authorization: AUTHORIZATION }])
  })

  it('leaves names that it cannot resolve to it, and reports its refusal', async () => {
    expect((await openTunnel('refused.invalid:443')).text).toContain('502 Bad Gateway')
    expect(received).toMatchObject([{ target: 'refused.invalid:443' }])
  })

  it.each(['169.254.169.254', '10.0.0.1', '9.9.9.9', 'localhost'])('does not let it reach %s', async (host) => {
    expect(await get(`http://${host}/`)).toMatch(/^403 /)
    expect((await openTunnel(`${host}:443`)).text).toContain('403 Refused')
    expect(received).toEqual([])
  })

  it('reaches allowed private hosts without it', async () => {
    await get(`http://${near}/direct`)
    expect(received).toEqual([{ target: '/direct', authorization: undefined }])
  })
})

describe('readUpstream', () => {
  it('reads host, port and user', () => {
    expect(readUpstream('HTTP_PROXY', 'proxy.example')).toEqual({
      host: 'proxy.example',
      port: 80,
      authorization: undefined,
    })
    expect(readUpstream('HTTP_PROXY', '')).toBeUndefined()
  })

  it.each(['https://proxy', 'socks5://user:secret@proxy'])('refuses %s without repeating its password', (text) => {
    expect(() => readUpstream('HTTPS_PROXY', text)).toThrow(/^HTTPS_PROXY is not the URL of an http proxy$/)
  })
})

describe('createBypass', () => {
  it('includes subdomains, and everything with *', () => {
    const isDirect = createBypass(['.corp.example', 'git.example', '[::1]'])
    expect(['a.corp.example', 'corp.example', 'git.example', 'x.git.example', '::1'].every(isDirect)).toBe(true)
    expect(isDirect('notgit.example')).toBe(false)
    expect(createBypass(['*'])('any.example')).toBe(true)
  })
})
