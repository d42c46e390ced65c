// A client of the public API that follows its rules: it retries retryable errors with the same
// idempotency key, and resumes event streams after the last event it received.

import { setTimeout as delay } from 'node:timers/promises'
import { type ExecuteTask, isTerminal, type Task, type TaskEvent, taskEventSchema } from '@switchyard/contracts'
import { createParser } from 'eventsource-parser'

/** An HTTP answer with its duration. */
type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>>; readonly ms: number }

export type Client = {
  readonly url: string
  /** Makes one call without retries. Returns status 0 if the connection fails. */
  readonly once: (method: string, path: string, body?: unknown, timeoutMs?: number) => Promise<Answer>
  /**
   * Makes one call and retries retryable errors.
   *
   * @throws Error for any other error, or after 90 s
   */
  readonly call: (method: string, path: string, body?: unknown) => Promise<Readonly<Record<string, unknown>>>
  /** Submits a task. The idempotency key makes sure that retries create only one. */
  readonly submit: (task: ExecuteTask & { readonly idempotency_key: string }) => Promise<Task>
  readonly task: (id: string) => Promise<Task>
  readonly ended: (id: string, timeoutMs: number) => Promise<Task>
  readonly events: (id: string) => Promise<readonly TaskEvent[]>
}

const CALL_MS = 60_000
const RETRY_LIMIT_MS = 90_000
const RETRY_DELAY_MS = 250
const PAGE = 1_000

export const createClient = (url: string): Client => {
  const once: Client['once'] = async (method, path, body, timeoutMs = CALL_MS) => {
    const began = Date.now()
    try {
      const response = await fetch(url + path, {
        method,
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, body: JSON.parse(text), ms: Date.now() - began }
    } catch (error) {
      const message = error instanceof Error ? `${error.message} ${error.cause ?? ''}` : String(error)
      return { status: 0, body: { message, retryable: true }, ms: Date.now() - began }
    }
  }
  const call: Client['call'] = async (method, path, body) => {
    const end = Date.now() + RETRY_LIMIT_MS
    for (;;) {
      const answer = await once(method, path, body)
      if (answer.status >= 200 && answer.status < 300) return answer.body
      if (answer.body.retryable !== true || Date.now() > end)
        throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      await delay(RETRY_DELAY_MS)
    }
  }
  const task = async (id: string): Promise<Task> => (await call('GET', `/tasks/${id}`)) as Task
  return {
    url,
    once,
    call,
    task,
    submit: async (input) => (await call('POST', '/tasks', input)) as Task,
    ended: async (id, timeoutMs) => {
      const end = Date.now() + timeoutMs
      for (;;) {
        const found = (await call('GET', `/tasks/${id}?wait_ms=5000`)) as Task
        if (isTerminal(found.status)) return found
        if (Date.now() > end) throw new Error(`task ${id} is still ${found.status} after ${timeoutMs} ms`)
      }
    },
    events: async (id) => {
      const all: TaskEvent[] = []
      for (;;) {
        const after = all.at(-1)?.seq ?? 0
        const page = (await call('GET', `/tasks/${id}/events?after=${after}&limit=${PAGE}`)) as {
          events: TaskEvent[]
        }
        all.push(...page.events)
        if (page.events.length < PAGE) return all
      }
    },
  }
}

export type Reader = {
  /** Every numbered event in order of arrival, across reconnects. */
  readonly events: readonly TaskEvent[]
  /** Returns how often the stream broke before its end. */
  readonly cuts: () => number
  /** Milliseconds from each break to the reconnect. */
  readonly reconnects: readonly number[]
  /** Resolves after the terminal event, or when the reader is closed. */
  readonly done: Promise<void>
  readonly close: () => void
}

const ENDS = new Set(['task_completed', 'task_failed', 'task_timeout', 'task_cancelled'])
const RECONNECT_MS = 50

/**
 * Reads a task's event stream up to its terminal event. Resumes with Last-Event-ID when it breaks.
 */
export const followEvents = (url: string, id: string): Reader => {
  const events: TaskEvent[] = []
  const reconnects: number[] = []
  const closing = new AbortController()
  let cuts = 0
  let brokenAt = 0
  const hasEnded = (): boolean => ENDS.has(events.at(-1)?.type ?? '')

  const readOnce = async (): Promise<void> => {
    const last = events.at(-1)
    const response = await fetch(`${url}/tasks/${id}/events`, {
      headers: { accept: 'text/event-stream', ...(last ? { 'last-event-id': String(last.seq) } : {}) },
      signal: closing.signal,
    })
    if (!response.ok || !response.body) throw new Error(`no event stream: ${response.status}`)
    if (brokenAt > 0) reconnects.push(Date.now() - brokenAt)
    brokenAt = 0
    const parser = createParser({
      onEvent: (message) => {
        if (message.id !== undefined) events.push(taskEventSchema.parse(JSON.parse(message.data)))
      },
    })
    const text = new TextDecoder()
    for await (const chunk of response.body) parser.feed(text.decode(chunk, { stream: true }))
  }

  const follow = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await readOnce().catch(() => undefined)
      if (hasEnded() || closing.signal.aborted) return
      if (brokenAt === 0) {
        cuts += 1
        brokenAt = Date.now()
      }
      await delay(RECONNECT_MS)
    }
  }

  return { events, cuts: () => cuts, reconnects, done: follow(), close: () => closing.abort() }
}
