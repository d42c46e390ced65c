// Controls that race with each other or that an unresponsive OpenCode server delays: the outcome is
// accurate, and the last control wins.

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { SentControl, Task, TaskEvent } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type System, startSystem } from './system.ts'

const bash = (command: string) => ({ tool: 'bash', args: { command, description: command, timeout: 400_000 } })
const WORKING = script([bash('while sleep 0.1; do echo x >> ticks.txt; done'), { say: 'never' }])

const TEST_MS = 180_000

describe('pause', { timeout: TEST_MS }, () => {
  let system: System
  let client: pg.Client
  let stalled: number | undefined

  const read = async (id: string) => (await system.caller.get(`/tasks/${id}`)) as Task
  const eventually = (what: () => unknown) => expect.poll(what, { timeout: 60_000, interval: 100 })
  const types = async (id: string) =>
    ((await system.caller.get(`/tasks/${id}/events?limit=1000`)) as { events: TaskEvent[] }).events.map(
      (event) => event.type,
    )
  const control = async (id: string, signal: string) =>
    (await system.caller.post(`/tasks/${id}/control`, { control: signal })) as SentControl
  const size = async (id: string) =>
    (await readFile(path.join((await read(id)).directory ?? '', 'ticks.txt')).catch(() => '')).length
  const working = async (task_description: string = WORKING): Promise<string> => {
    const { task_id } = await system.caller.submit({ task_description })
    await eventually(() => size(task_id)).toBeGreaterThan(0)
    return task_id
  }
  const opencodePid = async (): Promise<number> =>
    JSON.parse(await readFile(path.join(system.home, 'opencode', 'server.json'), 'utf8')).server.pid
  const stall = async () => {
    stalled = await opencodePid()
    process.kill(stalled, 'SIGSTOP')
  }
  const goOn = () => {
    if (stalled !== undefined) process.kill(stalled, 'SIGCONT')
    stalled = undefined
  }

  /** Writes `assignment` after the worker has read the pause and before it can record it. */
  const overtaken = async (id: string, assignment: string): Promise<void> => {
    await client.query('UPDATE tasks SET pause_requested_at = now() WHERE id = $1', [id])
    await client.query('BEGIN')
    await client.query('SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE', [id])
    expect(await control(id, 'pause')).toMatchObject({ outcome: 'requested', status: 'running' })
    await client.query(`UPDATE tasks SET ${assignment} WHERE id = $1`, [id])
    await client.query('COMMIT')
  }

  beforeAll(async () => {
    system = await startSystem('postgres')
    client = new pg.Client({ connectionString: system.databaseUrl })
    await client.connect()
  })

  afterEach(goOn)

  afterAll(async () => {
    await client?.end()
    await system?.close()
  })

  it('is overridden by a cancel that arrives before it takes effect', async () => {
    const id = await working()
    await overtaken(id, 'cancel_requested_at = now()')
    expect(await system.caller.ended(id)).toMatchObject({
      status: 'cancelled',
      result: { files_changed: ['ticks.txt'] },
    })
    expect(await types(id)).not.toContain('task_paused')
  })

  it('takes effect once the server has stopped the work', async () => {
    const id = await working()
    await stall()
    expect(await control(id, 'pause')).toMatchObject({ outcome: 'requested', status: 'running' })
    goOn()
    await eventually(async () => (await read(id)).status).toBe('paused')
    expect(await read(id)).toMatchObject({ result: { files_changed: ['ticks.txt'] } })
    const stopped = await size(id)
    expect(await control(id, 'cancel')).toMatchObject({ outcome: 'done' })
    expect(await size(id)).toBe(stopped)
  })

  it('does not delay a cancel while the server does not respond', async () => {
    const id = await working()
    await stall()
    expect(await control(id, 'pause')).toMatchObject({ outcome: 'requested' })
    await control(id, 'cancel')
    expect(await system.caller.ended(id)).toMatchObject({ status: 'cancelled' })
    goOn()
  })

  it('lets the task continue when it is withdrawn before it takes effect', async () => {
    const id = await working(script([bash('echo x >> ticks.txt; sleep 300'), { say: 'went on' }]))
    await overtaken(id, 'pause_requested_at = NULL')
    expect(await system.caller.ended(id)).toMatchObject({ status: 'completed', result: { output: 'went on' } })
    expect(await types(id)).not.toContain('task_paused')
  })
})
