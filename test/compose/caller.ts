// A caller of the public REST API: submits tasks, waits for them, follows their events.

import {
  type ExecuteTask,
  isTerminal,
  type Task,
  type TaskEvent,
  taskEventSchema,
  taskSchema,
} from '@switchyard/contracts'
import { createParser } from 'eventsource-parser'

export type Caller = {
  readonly get: (path: string) => Promise<unknown>
  readonly post: (path: string, body: unknown) => Promise<unknown>
  /** Submits a task. Returns it as accepted. */
  readonly submit: (task: ExecuteTask) => Promise<Task>
  /** Resolves with the task when it has ended. Throws after `timeoutMs`, default 2 minutes. */
  readonly ended: (taskId: string, timeoutMs?: number) => Promise<Task>
  /**
   * Reads a task's event stream until it closes. Resolves with every numbered event in order of
   * arrival.
   */
  readonly follow: (
    taskId: string,
    timeoutMs?: number,
    onEvent?: (event: TaskEvent) => void,
  ) => Promise<readonly TaskEvent[]>
}

const MINUTE = 60_000

export const createCaller = (url: string): Caller => {
  const call = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const response = await fetch(url + path, { signal: AbortSignal.timeout(MINUTE), ...init })
    const text = await response.text()
    if (!response.ok) throw new Error(`${init.method ?? 'GET'} ${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }
  const post = (path: string, body: unknown) =>
    call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  return {
    get: call,
    post,
    submit: async (task) => taskSchema.parse(await post('/tasks', task)),
    ended: async (taskId, timeoutMs = 2 * MINUTE) => {
      const until = Date.now() + timeoutMs
      for (;;) {
        const task = taskSchema.parse(await call(`/tasks/${taskId}?wait_ms=10000`))
        if (isTerminal(task.status)) return task
        if (Date.now() > until) throw new Error(`task ${taskId} is still ${task.status}`)
      }
    },
    follow: async (taskId, timeoutMs = 2 * MINUTE, onEvent = () => {}) => {
      const response = await fetch(`${url}/tasks/${taskId}/events`, {
        headers: { accept: 'text/event-stream' },
        signal: AbortSignal.timeout(timeoutMs),
      })
      if (!response.ok || !response.body)
        throw new Error(`no event stream: ${response.status} ${await response.text()}`)
      const events: TaskEvent[] = []
      const parser = createParser({
        onEvent: ({ id, data }) => {
          if (id === undefined) return
          const event = taskEventSchema.parse(JSON.parse(data))
          events.push(event)
          onEvent(event)
        },
      })
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) parser.feed(chunk)
      return events
    },
  }
}
