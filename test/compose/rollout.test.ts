// Runs every command of docs/rollout.md in order, on a separate stack.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { RolloutReport } from '@switchyard/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCaller } from './caller.ts'
import { dockerMissing, REPOSITORY } from './docker.ts'
import { defineStack, dockerGroup, type Stack } from './stack.ts'

const missing = await dockerMissing('engine')

const MINUTE = 60_000

describe('the rollout runbook', () => {
  let stack: Stack
  let output: string
  let before: string

  const firstPool = () => stack.compose(['ps', '--quiet', 'opencode', 'worker'])

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (missing) return
    stack = await defineStack(`switchyard-rollout-${process.pid}`, {
      MAX_CONCURRENT_TASKS: '2',
      OPENCODE_ROLLOUT_PERCENT: '0',
      ...(await dockerGroup()),
    })
    await stack.up()
    before = await firstPool()
    const page = await readFile(path.join(REPOSITORY, 'docs/rollout.md'), 'utf8')
    const commands = [...page.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, code]) => code ?? '')
    const { stdout } = await promisify(execFile)('bash', ['-c', ['set -euo pipefail', ...commands].join('\n')], {
      cwd: REPOSITORY,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...stack.environment, SWITCHYARD: stack.url },
      timeout: 8 * MINUTE,
      maxBuffer: 16 * 1024 * 1024,
    }).catch(async (error: Error & { stdout?: string; stderr?: string }) => {
      const output = `${error.stdout?.slice(-6_000)}\n${error.stderr?.slice(-4_000)}`
      throw new Error(`${error.message.slice(0, 200)}\n${output}\n${await stack.compose(['logs', '--tail', '25'])}`)
    })
    output = stdout
  })

  afterAll(async () => {
    await stack?.remove()
  })

  it("deploys without traffic, and runs an operator's task on the servers", () => {
    expect(output).toContain('"reason":"deployed dark"')
    expect(output).toContain('"status":"completed"')
    expect(output).toContain('"mode_detail":"the call requested OpenCode servers; pool blue"')
  })

  it('shows the figures in the report and in the metrics', () => {
    expect(output).toContain('"since_change"')
    expect(output).toContain('switchyard_rollout_percent 10')
    expect(output).toContain('switchyard_rollout_breaker{mode="opencode"} 0')
  })

  it('records every step forward and back in the history', async () => {
    const { history } = (await createCaller(stack.url).get('/rollout')) as RolloutReport
    expect(history.map(({ percent, pools, fixed }) => [percent, pools.green, fixed]).reverse()).toEqual([
      [0, 0, null],
      [0, 0, null],
      [10, 0, null],
      [50, 0, null],
      [100, 0, null],
      [0, 0, null],
      [0, 0, 'docker'],
      [100, 0, null],
      [100, 10, null],
      [100, 100, null],
      [100, 0, null],
      [100, 0, null],
    ])
  })

  it('ends with the first pool only, which was never restarted', async () => {
    expect(await firstPool()).toBe(before)
    const { sides } = (await createCaller(stack.url).get('/rollout')) as RolloutReport
    expect(sides.map(({ pool, live_workers }) => [pool, live_workers])).toEqual([
      ['blue', 1],
      ['green', 0],
      [null, 0],
    ])
  })
})
