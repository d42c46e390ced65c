// Runs sessions through OpenCode's SDK, as a script without Switchyard would: one event stream, and
// for each session create, prompt_async, wait for idle, read the messages.

import type { Event, OpencodeClient } from '@opencode-ai/sdk/v2'
import { permissionRules } from '@switchyard/opencode'
import type { OpenCodeProcess } from '@switchyard/testing'
import { now } from './clock.ts'

export type TimedEvent = { readonly event: Event; readonly at: number }

export type BareSdk = {
  /** Every event since the stream was opened, with its time of arrival, ms since the epoch. */
  readonly events: readonly TimedEvent[]
  /** Creates a session and sends the prompt. Returns the session's id. */
  readonly prompt: (directory: string, text: string) => Promise<string>
  /** Resolves when the session is idle and its messages were read. Throws if its turn failed. */
  readonly ended: (sessionId: string, directory: string) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * Opens the event stream.
 *
 * @param keepEvents - whether to store events; parts that do not read them save that time
 */
export const openBareSdk = async (opencode: OpenCodeProcess, keepEvents: boolean): Promise<BareSdk> => {
  const client: OpencodeClient = opencode.client(process.cwd())
  const closing = new AbortController()
  const events: TimedEvent[] = []
  const idle = new Set<string>()
  const waiting = new Map<string, () => void>()
  const { stream } = await client.global.event({ signal: closing.signal, sseMaxRetryAttempts: 0 })
  const connected = Promise.withResolvers<void>()
  const readEvents = async () => {
    for await (const { payload } of stream) {
      connected.resolve()
      if (payload.type === 'sync') continue
      if (keepEvents) events.push({ event: payload, at: now() })
      if (payload.type !== 'session.idle') continue
      idle.add(payload.properties.sessionID)
      waiting.get(payload.properties.sessionID)?.()
    }
  }
  const reading = readEvents().catch((error: unknown) => {
    connected.reject(error)
    if (!closing.signal.aborted) throw error
  })
  await connected.promise
  return {
    events,
    prompt: async (directory, text) => {
      const session = await client.session.create(
        { directory, title: text.slice(0, 60), permission: [...permissionRules('allow')] },
        { throwOnError: true },
      )
      await client.session.promptAsync(
        { sessionID: session.data.id, directory, parts: [{ type: 'text', text }] },
        { throwOnError: true },
      )
      return session.data.id
    },
    ended: async (sessionId, directory) => {
      if (!idle.has(sessionId)) await new Promise<void>((resolve) => waiting.set(sessionId, resolve))
      const messages = await client.session.messages({ sessionID: sessionId, directory }, { throwOnError: true })
      const last = messages.data.at(-1)?.info
      if (last?.role !== 'assistant' || last.error || last.finish !== 'stop')
        throw new Error(`the turn of session ${sessionId} failed: ${JSON.stringify(last)}`)
    },
    close: async () => {
      closing.abort()
      await reading
    },
  }
}
