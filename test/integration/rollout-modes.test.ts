// Both modes at once, on real containers and a real OpenCode server: how tasks are shared, and
// failover between them.

import type { RolloutReport, Task } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DockerSystem, startDockerSystem, whyNoContainers } from './docker-system.ts'

const noContainers = await whyNoContainers()

describe.skipIf(noContainers !== undefined)(`the two modes${noContainers ? ` (skipped: ${noContainers})` : ''}`, () => {
  let system: DockerSystem | undefined

  beforeEach(() => {
    system = undefined
  })

  afterEach(async () => {
    await system?.close()
  })

  const start = async (env: Readonly<Record<string, string>>): Promise<DockerSystem> => {
    const started = await startDockerSystem('postgres', { OPENCODE_SERVER_ENABLED: 'true', ...env })
    system = started
    await expect
      .poll(async () => (await report(started)).sides.map((side) => side.live_workers), { timeout: 20_000 })
      .toEqual([1, 0, 1])
    return started
  }

  const report = async ({ caller }: DockerSystem) => (await caller.get('/rollout')) as RolloutReport
  const run = async ({ caller }: DockerSystem, count: number): Promise<readonly Task[]> => {
    const tasks = await Promise.all(
      Array.from({ length: count }, (_, n) =>
        caller.submit({ task_description: script([{ say: `did ${n}` }]), agent_id: `agent-${n}` }),
      ),
    )
    return await Promise.all(tasks.map(({ task_id }) => caller.ended(task_id)))
  }

  it('share the tasks by the percentage, and both complete them', { timeout: 180_000 }, async () => {
    const started = await start({ OPENCODE_ROLLOUT_PERCENT: '50' })
    const ended = await run(started, 6)
    expect(new Set(ended.map(({ mode }) => mode))).toEqual(new Set(['opencode', 'docker']))
    expect(ended.map(({ status, error }) => [status, error])).toEqual(ended.map(() => ['completed', null]))
    const { window } = await report(started)
    expect(window.sides).toMatchObject([
      { mode: 'opencode', pool: 'blue', success_rate: 1 },
      { mode: 'docker', pool: null, success_rate: 1 },
    ])
    for (const side of window.sides) expect(side.first_event_ms.p95).toBeGreaterThan(0)
  })

  it('fail over when one of them cannot run tasks', async () => {
    const started = await start({
      OPENCODE_ROLLOUT_PERCENT: '0',
      OPENCODE_ROLLOUT_MIN_TASKS: '3',
      // An image without OpenCode.
      RUNNER_IMAGE: 'node:24-bookworm-slim',
    })
    const failed = await run(started, 3)
    expect(failed.map(({ mode, status }) => [mode, status])).toEqual(failed.map(() => ['docker', 'failed']))
    await expect
      .poll(async () => (await report(started)).breaker)
      .toMatchObject({
        state: 'open',
        side: 'docker',
      })
    const [saved] = await run(started, 1)
    expect(saved).toMatchObject({ mode: 'opencode', mode_reason: 'breaker', status: 'completed' })
  })
})
