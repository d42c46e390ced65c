// Shared by the tests: directories for a real server, a listener that records, a proxy that can break connections.

import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pino } from 'pino'
import type { ResyncReason, SubscriptionListener, SubscriptionMessage } from './events/event-router.ts'
import type { OpenCodeEvent } from './events/event-stream.ts'

export const quiet = pino({ level: 'silent' })

/** Creates directories for a server's data and for work. Call `remove` after the server was closed. */
export const createDirectories = async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'switchyard-opencode-'))
  const directory = path.join(root, 'work')
  await mkdir(directory)
  return {
    root,
    directory,
    dataDir: path.join(root, 'data'),
    remove: () => rm(root, { recursive: true, force: true, maxRetries: 5 }),
  }
}

/** Resolves with the first value that is neither undefined nor false. Throws after the timeout. */
export const eventually = async <T>(
  what: string,
  find: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> => {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const found = await find()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export type Recorder = {
  readonly listener: SubscriptionListener
  readonly messages: readonly SubscriptionMessage[]
  readonly resyncs: () => readonly ResyncReason[]
  readonly events: (type?: OpenCodeEvent['type']) => readonly OpenCodeEvent[]
  /** Resolves with the first event of this type about this session. */
  readonly event: <T extends OpenCodeEvent['type']>(
    type: T,
    sessionId?: string,
  ) => Promise<Extract<OpenCodeEvent, { type: T }>>
  readonly clear: () => void
}

export const createRecorder = (): Recorder => {
  const messages: SubscriptionMessage[] = []
  const events: Recorder['events'] = (type) =>
    messages.flatMap((message) =>
      message.kind === 'event' && (type === undefined || message.event.type === type) ? [message.event] : [],
    )
  return {
    messages,
    events,
    listener: (message) => messages.push(message),
    resyncs: () => messages.flatMap((message) => (message.kind === 'resync' ? [message.reason] : [])),
    event: (type, sessionId) =>
      eventually(`the event ${type}`, () =>
        messages
          .flatMap((message) =>
            message.kind === 'event' && (sessionId === undefined || message.sessionId === sessionId)
              ? [message.event]
              : [],
          )
          .find((event): event is Extract<OpenCodeEvent, { type: typeof type }> => event.type === type),
      ),
    clear: () => messages.splice(0),
  }
}

/** Starts a TCP proxy between client and server that can break connections or withhold data. */
export const createProxy = async (target: () => number) => {
  const sockets = new Set<Socket>()
  let isMuted = false
  const server: Server = createServer((client) => {
    const upstream = connect(target(), '127.0.0.1')
    const end = () => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
    }
    sockets.add(client)
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      if (!isMuted) client.write(chunk)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    /** Breaks all open connections. */
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    /** While on, keeps connections open and sends nothing to the client. */
    mute: (on: boolean) => {
      isMuted = on
    },
    /** Breaks all connections and refuses new ones. */
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
