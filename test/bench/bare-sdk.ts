// Sessions driven straight through OpenCode's own SDK, as a script without Switchyard would: one event stream, and for
// each session create, prompt_async, wait for idle, read the messages.

import type { Event, OpencodeClient } from '@opencode-ai/sdk/v2'
import { permissionRules } from '@switchyard/opencode'
import type { OpenCodeProcess } from '@switchyard/testing'
import { now } from './clock.ts'

export type Seen = { readonly event: Event; readonly at: number }

export type BareSdk = {
  /** Every event of the server since it was opened, with the time at which it came, ms since the epoch. */
  readonly seen: readonly Seen[]
  /** Creates the session and sends the prompt. */
  readonly prompt: (directory: string, text: string) => Promise<string>
  /** Resolves when the session is idle and its messages were read. @throws Error where its turn did not end well. */
  readonly ended: (sessionId: string, directory: string) => Promise<void>
  readonly close: () => Promise<void>
}

/** Seen events are kept for a part that asks what happened when; a part that does not leaves them out. */
export const openBareSdk = async (opencode: OpenCodeProcess, keepEvents: boolean): Promise<BareSdk> => {
  const client: OpencodeClient = opencode.client(process.cwd())
  const closing = new AbortController()
  const seen: Seen[] = []
  const idle = new Set<string>()
  const waiting = new Map<string, () => void>()
  const { stream } = await client.global.event({ signal: closing.signal, sseMaxRetryAttempts: 0 })
  const connected = Promise.withResolvers<void>()
  const take = async () => {
    for await (const { payload } of stream) {
      connected.resolve()
      if (payload.type === 'sync') continue
      if (keepEvents) seen.push({ event: payload, at: now() })
      if (payload.type !== 'session.idle') continue
      idle.add(payload.properties.sessionID)
      waiting.get(payload.properties.sessionID)?.()
    }
  }
  const reading = take().catch((error: unknown) => {
    connected.reject(error)
    if (!closing.signal.aborted) throw error
  })
  await connected.promise
  return {
    seen,
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
        throw new Error(`session ${sessionId} did not end well: ${JSON.stringify(last)}`)
    },
    close: async () => {
      closing.abort()
      await reading
    },
  }
}
