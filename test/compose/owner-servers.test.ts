// OpenCode servers of API keys on the real stack: containers through the filter, behind the egress proxy.

import type { Health, ServerInfo, ServerList, Task } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type RestCaller, restCaller } from '../integration/rest-caller.ts'
import { docker, dockerMissing } from './docker.ts'
import { defineStack, dockerProfile, printLogsOnFailure, type Stack } from './stack.ts'

const missing = await dockerMissing('engine')
const PROJECT = `switchyard-keys-${process.pid}`
const OPERATOR = 'ops-operator-0123456789'
const ONE = 'one-agent-0123456789'
const TWO = 'two-agent-0123456789'

describe('the stack with two agent keys and the profile docker', () => {
  let stack: Stack
  let ops: RestCaller
  let one: RestCaller
  let two: RestCaller

  beforeEach((context) => {
    if (missing) context.skip(missing)
    printLogsOnFailure(context, () => stack)
  })

  beforeAll(async () => {
    if (missing) return
    stack = await defineStack(PROJECT, {
      ...(await dockerProfile()),
      SWITCHYARD_API_KEYS: `ops:operator:${OPERATOR},one:agent:${ONE},two:agent:${TWO}`,
      PROJECT_SERVER_IDLE_MS: '90000',
    })
    await stack.up()
    ops = restCaller(stack.url, OPERATOR)
    one = restCaller(stack.url, ONE)
    two = restCaller(stack.url, TWO)
  })

  afterAll(async () => {
    if (missing) return
    await stack.compose(['stop', 'worker'])
    // The containers of servers outlive their worker.
    const left = await docker(['ps', '--all', '--quiet', '--filter', `label=switchyard.network=${PROJECT}_runner`])
    const ids = left.split('\n').filter((id) => id !== '')
    const volumes = await docker(['volume', 'ls', '--quiet', '--filter', `label=switchyard.network=${PROJECT}_runner`])
    if (ids.length > 0) await docker(['rm', '--force', ...ids])
    for (const volume of volumes.split('\n').filter((name) => name !== '')) await docker(['volume', 'rm', volume])
    await stack.remove()
  })

  const serverOf = async (owner: string): Promise<ServerInfo | undefined> =>
    (await ops.ok<ServerList>('GET', '/servers')).servers.find((server) => server.owner === owner)

  const keyServers = async () =>
    (await ops.ok<Health>('GET', '/health')).parts.find(({ name }) => name === 'key-servers')

  const run = async (as: RestCaller, command: string): Promise<readonly string[]> => {
    const steps = [{ tool: 'bash', args: { command, description: 'Look' } }, { say: '{{last_tool_output}}' }]
    const { body } = await as.request<Task>('POST', '/tasks', { task_description: script(steps) })
    let task = body
    while (task.completed_at === null) task = await as.ok<Task>('GET', `/tasks/${body.task_id}?wait_ms=10000`)
    expect(task).toMatchObject({ status: 'completed', error: null })
    return (task.result?.output ?? '').trim().split('\n')
  }

  it('runs the tasks of each key in a container of its own, which reaches the model through the egress proxy alone', async () => {
    const status = '-s -m 10 -o /dev/null -w "%{http_code}\\n"'
    const look = [
      'hostname; echo "$OPENCODE_SERVER_PASSWORD"',
      `curl ${status} http://model:8080/v1/models; curl ${status} http://169.254.169.254/`,
      `curl ${status} -m 3 --noproxy "*" http://169.254.169.254/ || true`,
      'ls ~/left-by-one 2>&1; touch ~/left-by-one',
    ].join('; ')
    const [ofOne = [], ofTwo = []] = [await run(one, look), await run(two, look)]
    expect(ofOne[0]).not.toBe(ofTwo[0])
    expect(ofOne[1]).not.toBe(ofTwo[1])
    for (const output of [ofOne, ofTwo]) {
      expect(output.slice(2, 5)).toEqual(['200', '403', '000'])
      expect(output.at(-1)).toContain('No such file')
    }
    const [server, other] = [await serverOf('one'), await serverOf('two')]
    expect(server).toMatchObject({ kind: 'container', status: 'up', isolation: 'owner' })
    const health = `curl ${status} --noproxy "*" -u "opencode:$OPENCODE_SERVER_PASSWORD" ${other?.url}/global/health`
    expect(await run(one, health)).toEqual(['401'])
    expect(await keyServers()).toMatchObject({ status: 'up' })
  })

  it('stops an idle container, and starts it with its home for the next task', { timeout: 420_000 }, async () => {
    const before = await serverOf('one')
    expect(before?.memory_bytes ?? 0).toBeGreaterThan(100 * 1_048_576)
    await expect.poll(async () => (await serverOf('one'))?.status, { timeout: 240_000 }).toBe('stopped')
    await expect(docker(['inspect', before?.container ?? ''])).rejects.toThrow()
    expect(await run(one, 'ls ~/left-by-one')).toEqual([expect.stringContaining('left-by-one')])
  })

  it('runs all keys on the shared server without the engine, and says so', async () => {
    await stack.compose(['stop', 'docker-filter'])
    await expect.poll(keyServers, { timeout: 30_000 }).toMatchObject({ status: 'degraded' })
    const [ofOne, ofTwo] = [await run(one, 'hostname'), await run(two, 'hostname')]
    expect(ofOne).toEqual(ofTwo)
    expect(await stack.compose(['logs', '--no-color', 'api'])).toContain('different API keys share an OpenCode server')
  })
})
