// Docker mode on the real stack: the profile docker, the filter before the engine's socket, the containers' network.

import { stat } from 'node:fs/promises'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Caller, createCaller } from './caller.ts'
import { docker, dockerMissing } from './docker.ts'
import { defineStack, type Stack } from './stack.ts'

const missing = await dockerMissing('engine')
const SOCKET = '/var/run/docker.sock'
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

  /** Ids of containers on the runners' network that are not Compose's own. */
  const leftInNetwork = async () => {
    const found = (await docker(['ps', '--all', '--quiet', '--filter', `network=${PROJECT}_runner`])).split('\n')
    const egress = (await stack.compose(['ps', '--all', '--quiet', 'egress'])).trim()
    return found.filter((id) => id !== '' && !egress.startsWith(id))
  }

  beforeEach((context) => {
    if (missing) context.skip(missing)
    context.onTestFailed(async () => {
      console.log(await stack.compose(['logs', '--no-color', '--timestamps', '--tail', '40']).catch(String))
    })
  })

  beforeAll(async () => {
    if (missing) return
    stack = await defineStack(PROJECT, {
      COMPOSE_PROFILES: 'docker',
      DOCKER_GID: String((await stat(SOCKET)).gid),
      OPENCODE_SERVER_ENABLED: 'false',
      ANTHROPIC_API_KEY: KEY,
    })
    await stack.up()
    caller = createCaller(stack.url)
  })

  afterAll(async () => {
    if (missing) return
    // A task that has not ended leaves its container to the next start, which this test does not have.
    await stack.compose(['stop'])
    const left = await leftInNetwork()
    if (left.length > 0) await docker(['rm', '--force', ...left])
    await stack.remove()
  })

  it('runs a task in a container that reaches the model and nothing of the stack', async () => {
    // What has no name here is asked for elsewhere, and may take its time to be unknown.
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
    // The egress proxy does not know the first one; it refuses the others.
    expect(task.result?.output.trim()).toMatch(/^(502|000) 403 403$/)
    await expect.poll(() => docker(['ps', '--all', '--quiet', '--filter', label]), { timeout: 20_000 }).toBe('')
  })

  it('gives the worker neither the keys nor more of the engine than it needs', async () => {
    expect(await stack.shell('worker', 'env')).not.toContain(KEY)
    const ask = (path: string) =>
      stack.shell(
        'worker',
        `node -e 'require("http").get({socketPath:"/run/switchyard/docker/docker.sock",path:"${path}"},(r)=>{console.log(r.statusCode);r.resume()})'`,
      )
    expect((await ask('/version')).trim()).toBe('200')
    expect((await ask('/info')).trim()).toBe('403')
    expect((await ask('/containers/json?all=1')).trim()).toBe('403')
    await expect(stack.shell('worker', 'test -e /var/run/docker.sock')).rejects.toThrow()
  })
  it('leaves nothing in the network that would keep it from being taken down', async () => {
    expect(await leftInNetwork()).not.toEqual([])
    await stack.compose(['stop'])
    expect(await leftInNetwork()).toEqual([])
  })
})
