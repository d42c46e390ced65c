// Dedicated OpenCode servers on the real stack: each one is a container that the worker creates
// through the filter.

import type { ServerInfo, ServerList, StartedProject } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectMcp, type McpCaller } from '../integration/mcp-caller.ts'
import { type Caller, createCaller } from './caller.ts'
import { docker, dockerMissing } from './docker.ts'
import { defineStack, dockerProfile, printLogsOnFailure, type Stack } from './stack.ts'

const missing = await dockerMissing('engine')
const PROJECT = `switchyard-servers-${process.pid}`
const KEY = 'a-key-of-a-provider'
const REPOSITORY = '/var/lib/switchyard/test-repositories/own.git'
const MAKE_REPOSITORY = [
  'set -e; work=$(mktemp -d); cd "$work"; git init -q -b main; echo a > a.txt; git add -A',
  'git -c user.name=test -c user.email=test@localhost commit -q -m Begin',
  `git clone -q --bare . ${REPOSITORY}; rm -rf "$work"`,
].join('\n')

describe('the stack with a dedicated server', () => {
  let stack: Stack
  let caller: Caller
  let mcp: McpCaller

  beforeEach((context) => {
    if (missing) context.skip(missing)
    printLogsOnFailure(context, () => stack)
  })

  beforeAll(async () => {
    if (missing) return
    stack = await defineStack(PROJECT, {
      ...(await dockerProfile()),
      ANTHROPIC_API_KEY: KEY,
    })
    await stack.up()
    caller = createCaller(stack.url)
    await stack.shell('worker', MAKE_REPOSITORY)
    mcp = await connectMcp(stack.url)
  })

  afterAll(async () => {
    if (missing) return
    await mcp?.close()
    // If the test failed before it destroyed the project, the server's container still runs.
    const left = (await docker(['ps', '--all', '--quiet', '--filter', `network=${PROJECT}_agent`])).split('\n')
    const services = await stack.compose(['ps', '--all', '--quiet', '--no-trunc'])
    const ids = left.filter((id) => id !== '' && !services.includes(id))
    if (ids.length > 0) await docker(['rm', '--force', ...ids])
    await stack.remove()
  })

  const servers = async (): Promise<readonly ServerInfo[]> => ((await caller.get('/servers')) as ServerList).servers

  it('runs the tasks of the project in a separate container, and removes it with the project', async () => {
    const git_url = `file://${REPOSITORY}`
    const project = await mcp.call<StartedProject>('opencode_project_start', { git_url, isolation: 'dedicated' })
    const { task_id } = await caller.submit({
      task_description: script([
        { tool: 'bash', args: { command: 'echo b > b.txt; hostname', description: 'Write' } },
        { say: 'done' },
      ]),
      project: project.project_id,
    })
    expect(await caller.ended(task_id)).toMatchObject({ status: 'completed', error: null })
    const own = (await servers()).find((server) => server.project_id === project.project_id)
    expect(own).toMatchObject({ kind: 'container', status: 'up', isolation: 'dedicated', pid: null })
    expect(own?.memory_bytes).toBeGreaterThan(0)
    const [container] = JSON.parse(await docker(['inspect', own?.container ?? ''])) as readonly {
      readonly Config: { readonly Env: readonly string[] }
      readonly HostConfig: { readonly ReadonlyRootfs: boolean; readonly CapDrop: readonly string[] }
    }[]
    expect(container?.HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'] })
    // The filter adds the provider keys; the worker has none.
    expect(container?.Config.Env).toContain(`ANTHROPIC_API_KEY=${KEY}`)
    expect(await stack.shell('worker', 'env')).not.toContain(KEY)
    await mcp.call('opencode_project_destroy', { git_url, force: true })
    expect((await servers()).map((server) => server.project_id)).not.toContain(project.project_id)
    await expect(docker(['inspect', own?.container ?? ''])).rejects.toThrow()
  })
})
