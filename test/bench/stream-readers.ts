// A process that reads OpenCode's event stream once and a task's event stream many times. It stores
// every chunk with its time and parses it after the task has ended, so that reading costs little
// CPU.

import { get, type IncomingMessage } from 'node:http'
import { now } from './clock.ts'

/** The first message from the parent process. */
export type ReadOrder = {
  readonly opencode: { readonly url: string; readonly password: string }
  readonly taskUrl: string
  readonly readers: number
}

/**
 * The answers: `ready` when every stream is open, then the arrival times of finished parts on each
 * stream.
 */
export type ReadReport =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done'
      readonly opencode: Readonly<Record<string, number>>
      readonly readers: readonly Readonly<Record<string, number>>[]
    }

type Chunk = { readonly at: number; readonly bytes: Buffer }
type Stream = { readonly chunks: readonly Chunk[]; readonly ended: Promise<void>; readonly close: () => void }

const openStream = (url: string, headers: Readonly<Record<string, string>>): Promise<Stream> =>
  new Promise((resolve, reject) => {
    const chunks: Chunk[] = []
    const request = get(url, { agent: false, headers: { accept: 'text/event-stream', ...headers } })
    request.on('error', reject)
    request.on('response', (response: IncomingMessage) => {
      if (response.statusCode !== 200) return reject(new Error(`${url}: ${response.statusCode}`))
      const ended = new Promise<void>((done) => response.on('close', done))
      response.on('error', () => {})
      response.on('data', (bytes: Buffer) => {
        chunks.push({ at: now(), bytes })
        // Both servers send a first event on connect. The stream is complete from here on.
        if (chunks.length === 1) resolve({ chunks, ended, close: () => request.destroy() })
      })
    })
  })

/** Yields every event with the time of arrival of its last byte. */
const framesOf = function* (chunks: readonly Chunk[]): Generator<{ readonly at: number; readonly data: unknown }> {
  let text = ''
  const decoder = new TextDecoder()
  for (const { at, bytes } of chunks) {
    text += decoder.decode(bytes, { stream: true })
    const frames = text.split('\n\n')
    text = frames.pop() ?? ''
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1]
      if (data !== undefined) yield { at, data: JSON.parse(data) }
    }
  }
}

type OpenCodeEvent = {
  readonly payload: {
    readonly type: string
    readonly properties?: {
      readonly part?: { readonly id: string; readonly type: string; readonly state?: { readonly status: string } }
    }
  }
}
type TaskStreamEvent = {
  readonly data?: { readonly part_id?: string; readonly state?: string; readonly kind?: string }
}

const completionsOf = (chunks: readonly Chunk[], partOf: (data: unknown) => string | undefined) => {
  const found: Record<string, number> = {}
  for (const { at, data } of framesOf(chunks)) {
    const part = partOf(data)
    if (part !== undefined) found[part] ??= at
  }
  return found
}

const completedInOpenCode = (data: unknown): string | undefined => {
  const { payload } = data as OpenCodeEvent
  const part = payload.properties?.part
  const isDone = payload.type === 'message.part.updated' && part?.type === 'tool' && part.state?.status === 'completed'
  return isDone ? part.id : undefined
}

const completedInTask = (data: unknown): string | undefined => {
  const { data: fields } = data as TaskStreamEvent
  return fields?.kind === 'tool' && fields.state === 'completed' ? fields.part_id : undefined
}

const send = (report: ReadReport): Promise<void> =>
  new Promise((resolve, reject) => process.send?.(report, (error: Error | null) => (error ? reject(error) : resolve())))

const read = async ({ opencode, taskUrl, readers }: ReadOrder): Promise<void> => {
  const authorization = `Basic ${Buffer.from(`opencode:${opencode.password}`).toString('base64')}`
  const source = await openStream(`${opencode.url}/global/event`, { authorization })
  const streams: Stream[] = []
  for (let at = 0; at < readers; at += 1) streams.push(await openStream(`${taskUrl}/events`, {}))
  await send({ kind: 'ready' })
  await Promise.all(streams.map((stream) => stream.ended))
  source.close()
  await send({
    kind: 'done',
    opencode: completionsOf(source.chunks, completedInOpenCode),
    readers: streams.map((stream) => completionsOf(stream.chunks, completedInTask)),
  })
  process.disconnect()
}

process.once('message', (order) => {
  read(order as ReadOrder).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    process.exit(1)
  })
})
