// Two installations on one database, each with its own OpenCode server and worker: the pools blue
// and green.

import path from 'node:path'
import type { RolloutReport, Task, TaskEvent } from '@switchyard/contracts'
import { opencodeConfig, script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type System, startSystem } from './system.ts'

/** The machine may have a Docker engine and the image. */
const NO_DOCKER = { DOCKER_HOST: 'unix:///not-there/docker.sock' }

let blue: System
let green: System

beforeAll(async () => {
  blue = await startSystem('postgres', NO_DOCKER)
  green = await startSystem('postgres', {
    ...NO_DOCKER,
    DATABASE_URL: blue.databaseUrl,
    WORKSPACES_DIR: path.join(blue.home, 'workspaces'),
    OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig(blue.model.url)),
    OPENCODE_POOL: 'green',
    // The second task of the pool waits.
    MAX_CONCURRENT_TASKS: '1',
  })
})

afterAll(async () => {
  await green?.close()
  await blue?.close()
})

const change = async (body: object): Promise<RolloutReport> => {
  const response = await fetch(`${blue.url}/rollout`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'a test', ...body }),
  })
  expect(response.status).toBe(200)
  return (await response.json()) as RolloutReport
}
const report = async () => (await blue.caller.get('/rollout')) as RolloutReport
const record = async (id: string) => (await blue.caller.get(`/tasks/${id}`)) as Task
const events = async (id: string) =>
  ((await blue.caller.get(`/tasks/${id}/events`)) as { events: readonly TaskEvent[] }).events
const submit = async (system: System, steps: Parameters<typeof script>[0], agentId = 'agent') =>
  await system.caller.submit({ task_description: script(steps), agent_id: agentId })

/** Returns whether the system's server has the task's session. */
const holds = async ({ switchyard }: System, { session_id, directory }: Task): Promise<boolean> => {
  if (session_id === null || directory === null) throw new Error('the task has no session')
  if (!switchyard.opencode) return false
  return await switchyard.opencode.client.session({ sessionId: session_id, directory }).then(
    () => true,
    () => false,
  )
}

// Two OpenCode servers start in new directories at the same time, which is slow on a busy machine.
describe('two pools', { timeout: 120_000 }, () => {
  it('share the tasks by agent, each on its own servers, whichever api accepts them', async () => {
    await expect
      .poll(async () => (await report()).sides, { timeout: 10_000 })
      .toMatchObject([
        { pool: 'blue', share: 100, live_workers: 1, state: 'active' },
        { pool: 'green', share: 0, live_workers: 1, state: 'drained' },
        { mode: 'docker', live_workers: 0, state: 'no_worker' },
      ])
    await change({ pools: { green: 50 } })
    await expect.poll(async () => ((await green.caller.get('/rollout')) as RolloutReport).pools.green).toBe(50)
    const accepted = await Promise.all(
      Array.from({ length: 6 }, (_, n) => submit(n % 2 ? blue : green, [{ say: `did ${n}` }], `agent-${n}`)),
    )
    expect(new Set(accepted.map(({ pool }) => pool))).toEqual(new Set(['blue', 'green']))
    for (const { task_id, pool } of accepted) {
      const task = await blue.caller.ended(task_id)
      expect(task).toMatchObject({ status: 'completed', pool, mode: 'opencode', mode_reason: 'rollout' })
      expect([await holds(blue, task), await holds(green, task)]).toEqual([pool === 'blue', pool === 'green'])
    }
    const { window } = await report()
    for (const pool of ['blue', 'green'])
      expect(window.sides.find((side) => side.pool === pool)).toMatchObject({ success_rate: 1, error_codes: {} })
  })

  it('let a drained pool finish its running tasks, and move its queued tasks to the other pool', async () => {
    await change({ pools: { green: 100 } })
    const runs = await submit(blue, [{ hold: 'drained' }, { say: 'ran on' }])
    await expect.poll(async () => (await record(runs.task_id)).status, { timeout: 20_000 }).toBe('running')
    const waits = await submit(blue, [{ say: 'ran elsewhere' }])
    expect([runs.pool, waits.pool]).toEqual(['green', 'green'])

    await change({ pools: { green: 0 } })
    const moved = await blue.caller.ended(waits.task_id)
    expect(moved).toMatchObject({ status: 'completed', pool: 'blue', result: { output: 'ran elsewhere' } })
    expect(moved.mode_detail).toContain('moved to pool blue: it is drained')
    expect((await events(waits.task_id)).map(({ message }) => message)).toContain(
      'moved from pool green to pool blue: it is drained',
    )
    expect((await report()).sides[1]).toMatchObject({ pool: 'green', state: 'draining', running: 1, queued: 0 })

    blue.model.release('drained')
    const stayed = await blue.caller.ended(runs.task_id)
    expect(stayed).toMatchObject({ status: 'completed', pool: 'green', attempt: 1, result: { output: 'ran on' } })
    expect((await report()).sides[1]).toMatchObject({ pool: 'green', state: 'drained', running: 0 })
  })

  it('move tasks to the other pool when a pool has no live worker', async () => {
    await change({ pools: { green: 100 } })
    await green.close()
    const waits = await submit(blue, [{ say: 'ran after all' }])
    expect(await blue.caller.ended(waits.task_id)).toMatchObject({ status: 'completed', pool: 'blue' })
    const late = await submit(blue, [{ say: 'went there at once' }])
    expect(late).toMatchObject({ pool: 'blue', mode_detail: expect.stringContaining('green has no live worker') })
    expect((await report()).warnings).toEqual([expect.stringContaining('pool green has a share of 100 %')])
    expect(await blue.caller.ended(late.task_id)).toMatchObject({ status: 'completed' })
  })
})
