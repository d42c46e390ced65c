// A stand-in for the Docker engine: an HTTP server on a socket that answers from a table and records the calls.

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type EngineAddress, engineAddress } from './engine-calls.ts'

type Reply =
  | { readonly status?: number; readonly json?: unknown }
  | { readonly stream: (outgoing: ServerResponse) => void }

export type FakeEngine = AsyncDisposable & {
  readonly address: EngineAddress
  /** Method, path and body of every call. */
  readonly calls: { readonly route: string; readonly body: string }[]
}

/** Answers `replies[route]`, where a route is a method and a path without its query; any other call gets a 404. */
export const startFakeEngine = async (
  replies: Readonly<Record<string, Reply | (() => Reply)>>,
): Promise<FakeEngine> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchyard-test-engine-'))
  const socket = path.join(folder, 'docker.sock')
  const calls: { readonly route: string; readonly body: string }[] = []
  const server = createServer(async (incoming, outgoing) => {
    let body = ''
    for await (const chunk of incoming.setEncoding('utf8')) body += chunk
    const route = `${incoming.method} ${URL.parse(incoming.url ?? '', 'http://docker')?.pathname}`
    calls.push({ route: `${incoming.method} ${incoming.url}`, body })
    const found = replies[route]
    const reply: Reply = (typeof found === 'function' ? found() : found) ?? { status: 404 }
    if ('stream' in reply) return reply.stream(outgoing)
    outgoing.writeHead(reply.status ?? 200, { 'content-type': 'application/json' })
    outgoing.end(reply.json === undefined ? undefined : JSON.stringify(reply.json))
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return {
    address: engineAddress(`unix://${socket}`),
    calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await rm(folder, { recursive: true })
    },
  }
}
