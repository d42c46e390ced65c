// A task that kills its OpenCode server again and again, beside tasks that do not.

import { isTerminal, type Status } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type System, startSystem } from './system.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

const NEIGHBOURS = 5

type TaskRecord = { readonly task_id: string; readonly status: Status; readonly error: { code: string } | null }

describe('a task that kills its OpenCode server eight times', () => {
  let system: System

  beforeAll(async () => {
    // In the tool sandbox a command cannot reach the server at all.
    system = await startSystem('postgres', { MAX_CONCURRENT_TASKS: String(NEIGHBOURS + 1), TOOL_SANDBOX: 'off' })
  })

  afterAll(async () => {
    await system?.close()
  })

  const bash = (command: string) => ({ tool: 'bash', args: { command, description: 'runs' } })

  const submit = async (steps: Parameters<typeof script>[0]): Promise<string> => {
    const response = await fetch(`${system.url}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ task_description: `go ${script(steps)}`, permissions: 'allow' }),
    })
    expect(response.status).toBe(202)
    return ((await response.json()) as TaskRecord).task_id
  }

  const ended = async (id: string): Promise<TaskRecord> => {
    for (;;) {
      const response = await fetch(`${system.url}/tasks/${id}?wait_ms=20000`)
      const task = (await response.json()) as TaskRecord
      if (isTerminal(task.status)) return task
    }
  }

  const events = async (id: string): Promise<readonly { type: string; message: string }[]> =>
    ((await (await fetch(`${system.url}/tasks/${id}/events?limit=1000`)).json()) as { events: [] }).events

  it('ends as server_killed after the third death, and all of its neighbours complete', async () => {
    const neighbours = await Promise.all(
      Array.from({ length: NEIGHBOURS }, () => submit([...Array(6).fill(bash('sleep 2')), { say: 'done' }])),
    )
    const poison = await submit([...Array(8).fill(bash('sleep 3; kill -9 $OPENCODE_PID')), { say: 'survived' }])
    const end = await ended(poison)
    expect(end).toMatchObject({ status: 'failed', error: { code: 'server_killed', retryable: false } })
    const others = await Promise.all(neighbours.map(ended))
    expect(others.map(({ status, error }) => error?.code ?? status)).toEqual(Array(NEIGHBOURS).fill('completed'))
    const recovered = (await events(poison)).filter(({ type }) => type === 'task_recovered')
    expect(recovered).toHaveLength(2)
    expect(recovered[1]?.message).toContain('on a server of its own')
  })
})
