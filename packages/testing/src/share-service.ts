// A fake of the service that publishes shared OpenCode sessions (`enterprise.url` in its
// configuration), with the three calls that OpenCode makes.

import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

type Shared = { readonly secret: string; readonly sessionID: string; readonly kinds: Set<string> }

export type ShareService = {
  readonly url: string
  /** Returns the shared sessions, with the kinds of data that OpenCode sent for each. */
  readonly shared: () => readonly { readonly sessionID: string; readonly kinds: readonly string[] }[]
  /** Sets whether every call is answered with 503. */
  readonly fail: (on: boolean) => void
  readonly close: () => Promise<void>
}

const readJson = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

const kindsIn = (data: unknown): readonly string[] =>
  Array.isArray(data) ? data.map((item: { readonly type?: unknown }) => String(item.type)) : []

export const startShareService = async (): Promise<ShareService> => {
  const shares = new Map<string, Shared>()
  let isFailing = false

  const answer = async (request: IncomingMessage): Promise<{ readonly status: number; readonly body?: unknown }> => {
    if (isFailing) return { status: 503 }
    const [, id, what] = /^\/api\/share(?:\/([^/]+))?(?:\/(sync))?$/.exec(request.url ?? '') ?? []
    const body = await readJson(request)
    if (request.method === 'POST' && id === undefined && request.url === '/api/share') {
      const newId = crypto.randomUUID()
      const secret = crypto.randomUUID()
      shares.set(newId, { secret, sessionID: String(body.sessionID), kinds: new Set() })
      return { status: 200, body: { id: newId, secret, url: `${urlOf()}/s/${newId}` } }
    }
    const share = shares.get(id ?? '')
    if (!share) return { status: 404 }
    if (body.secret !== share.secret) return { status: 403 }
    if (request.method === 'DELETE') shares.delete(id ?? '')
    else if (what === 'sync') for (const kind of kindsIn(body.data)) share.kinds.add(kind)
    return { status: 200, body: {} }
  }

  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}))
      },
      () => response.writeHead(400).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const urlOf = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: urlOf(),
    shared: () => [...shares.values()].map(({ sessionID, kinds }) => ({ sessionID, kinds: [...kinds] })),
    fail: (on) => {
      isFailing = on
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
