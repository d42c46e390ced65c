// Docker mode on the real stack: the profile docker, the filter for the engine's socket, and the
// network of the containers.

import { script } from '@switchyard/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Caller, createCaller } from './caller.ts'
import { docker, dockerMissing } from './docker.ts'
import { defineStack, dockerProfile, printLogsOnFailure, type Stack } from './stack.ts'

const missing = await dockerMissing('engine')
const PROJECT = `switchyard-docker-${process.pid}`
const KEY = 'a-key-of-a-provider'

const bash = (command: string) => ({ tool: 'bash', args: { command, description: command } })

type Container = {
  readonly Config: { readonly Env: readonly string[] }
  readonly Mounts: readonly { readonly Source: string; readonly Destination: string }[]
}

describe('the stack with the profile docker', () => {
  let stack: Stack
  let caller: Caller

  /** Returns the ids of task containers on the runners' network. */
  const taskContainers = async () => {
    const found = (await docker(['ps', '--all', '--quiet', '--filter', `network=${PROJECT}_runner`])).split('\n')
    const egress = (await stack.compose(['ps', '--all', '--quiet', 'egress'])).trim()
    return found.filter((id) => id !== '' && !egress.startsWith(id))
  }

  beforeEach((context) => {
    if (missing) context.skip(missing)
    printLogsOnFailure(context, () => stack)
  })

  beforeAll(async () => {
    if (missing) return
    stack = await defineStack(PROJECT, {
      ...(await dockerProfile()),
      OPENCODE_SERVER_ENABLED: 'false',
      ANTHROPIC_API_KEY: KEY,
    })
    await stack.up()
    caller = createCaller(stack.url)
  })

  afterAll(async () => {
    if (missing) return
    // A running task keeps its container for the next start, which this test does not have.
    await stack.compose(['stop'])
    const left = await taskContainers()
    if (left.length > 0) await docker(['rm', '--force', ...left])
    await stack.remove()
  })

  it('runs a task in a container that can reach the model, but no service of the stack', async () => {
    // The resolver forwards unknown names, which can take long to fail.
    const probe =
      'for name in postgres worker; do timeout 2 getent hosts $name; done; for at in postgres:5432 169.254.169.254 172.17.0.1:3456; do curl -s -m 10 -o /dev/null -w "%{http_code} " http://$at/; done; sleep 5'
    const { task_id } = await caller.submit({
      task_description: script([bash(probe), { say: '{{last_tool_output}}' }]),
    })
    const label = `label=switchyard.task=${task_id}`
    await expect.poll(() => docker(['ps', '--quiet', '--filter', label]), { timeout: 60_000 }).not.toBe('')
    const id = (await docker(['ps', '--quiet', '--filter', label])).trim()
    const [container] = JSON.parse(await docker(['inspect', id])) as Container[]
    expect(container?.Mounts.map((mount) => mount.Destination)).toEqual([`/workspaces/docker/${task_id}`])
    expect(container?.Mounts[0]?.Source).toMatch(new RegExp(`_workspaces/_data/docker/${task_id}$`))
    expect(container?.Config.Env).toContain(`ANTHROPIC_API_KEY=${KEY}`)
    const task = await caller.ended(task_id, 120_000)
    expect(task).toMatchObject({ status: 'completed', mode: 'docker', error: null })
    // The egress proxy cannot resolve the first address, and refuses the others.
    expect(task.result?.output.trim()).toMatch(/^(502|000) 403 403$/)
    await expect.poll(() => docker(['ps', '--all', '--quiet', '--filter', label]), { timeout: 20_000 }).toBe('')
  })

  it('gives the worker no provider keys, and only the calls to the engine that it needs', async () => {
    expect(await stack.shell('worker', 'env')).not.toContain(KEY)
    const statusOf = (path: string) =>
      stack.shell(
        'worker',
        `node -e 'require("http").get({socketPath:"/run/switchyard/docker/docker.sock",path:"${path}"},(r)=>{console.log(r.statusCode);r.resume()})'`,
      )
    expect((await statusOf('/version')).trim()).toBe('200')
    expect((await statusOf('/info')).trim()).toBe('403')
    expect((await statusOf('/containers/json?all=1')).trim()).toBe('403')
    await expect(stack.shell('worker', 'test -e /var/run/docker.sock')).rejects.toThrow()
  })

  it('stops the task containers with the stack, so that their network can be removed', async () => {
    expect(await taskContainers()).not.toEqual([])
    await stack.compose(['stop'])
    expect(await taskContainers()).toEqual([])
  })
})
