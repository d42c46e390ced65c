import type { ProjectObject, Task } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import type { RestCaller } from './rest-caller.ts'
import { ONE, type Project, type SessionSystem, startSessionSystem, TWO } from './session-system.ts'

let system: SessionSystem
let one: McpCaller
let two: McpCaller

beforeAll(async () => {
  system = await startSessionSystem()
  one = await connectMcp(system.url, { key: ONE })
  two = await connectMcp(system.url, { key: TWO })
})

afterAll(async () => {
  for (const client of [one, two]) await client?.close()
  await system?.close()
})

/** Creates a project of agent one, shared with agent two. */
const shared = async (): Promise<Project> => {
  const project = await system.start(system.one)
  await system.one.ok('PATCH', project.path, { permissions: { agents: ['two'] } })
  return project
}

const makeSandbox = async (project: Project, name: string, as: RestCaller): Promise<void> => {
  expect(await as.request('POST', `${project.path}/sandbox`, { name })).toMatchObject({ status: 201 })
}

/** Starts a task that runs until `end`. */
const work = async (project: Project, as: RestCaller, sandbox?: string) => {
  const hold = `${project.id}-${sandbox ?? 'base'}`
  const { body } = await as.request<Task>('POST', '/tasks', {
    task_description: script([{ hold }, { say: 'done' }]),
    project: project.url,
    ...(sandbox === undefined ? {} : { sandbox }),
  })
  const read = async () => await as.ok<Task>('GET', `/tasks/${body.task_id}`)
  await expect.poll(async () => (await read()).status, { interval: 100 }).toBe('running')
  return { id: body.task_id, status: async () => (await read()).status, end: () => system.model.release(hold) }
}

describe('work by others in a shared project', () => {
  it('is stopped by the creator of the sandbox, the owner of the project and operators only', async () => {
    const project = await shared()
    await makeSandbox(project, 's', system.one)
    const task = await work(project, system.one, 's')
    const named = { git_url: project.id, name: 's' }
    const forbidden = /"forbidden".*force on sandbox s is reserved for its creator/
    await expect(two.call('opencode_sandbox_delete', { ...named, force: true })).rejects.toThrow(forbidden)
    await expect(two.call('opencode_sandbox_reset', { ...named, force: true })).rejects.toThrow(forbidden)
    const busy = await system.two.request<object>('DELETE', `${project.path}/sandbox/s`)
    expect(busy).toMatchObject({ status: 409, body: { code: 'project_busy' } })
    // The caller cannot see another key's task, and the response does not reveal one.
    expect(JSON.stringify(busy.body)).not.toContain(task.id)
    expect(await task.status()).toBe('running')
    await one.call('opencode_sandbox_delete', { ...named, force: true })
    expect(await task.status()).toBe('cancelled')
  })

  it('is stopped with a sandbox by the creator of the sandbox', async () => {
    const project = await shared()
    await makeSandbox(project, 'mine', system.two)
    const task = await work(project, system.one, 'mine')
    await two.call('opencode_sandbox_reset', { git_url: project.id, name: 'mine', force: true })
    expect(await task.status()).toBe('cancelled')
    // Removing a clean and idle sandbox needs no right over other callers.
    await makeSandbox(project, 'clean', system.one)
    expect(await system.two.ok('DELETE', `${project.path}/sandbox/clean`)).toMatchObject({ done: 'deleted' })
  })

  it('continues when another key stops or restarts the project', async () => {
    const project = await shared()
    const task = await work(project, system.one)
    const busy = { status: 409, body: { code: 'project_busy' } }
    expect(await system.two.request('POST', `${project.path}/stop`)).toMatchObject(busy)
    expect(await system.two.request('POST', `${project.path}/restart`)).toMatchObject(busy)
    expect(await task.status()).toBe('running')
    task.end()
    await expect.poll(task.status, { interval: 100 }).toBe('completed')
    expect(await system.two.ok('POST', `${project.path}/restart`)).toMatchObject({ status: 'ready' })
    const own = await work(project, system.two)
    expect(await system.two.ok('POST', `${project.path}/stop`)).toMatchObject({ status: 'stopped' })
    own.end()
  })
})

describe('the settings of a shared project', () => {
  it('are changed by the owner and operators only, through every route and tool', async () => {
    const project = await shared()
    const read = async () => await system.ops.ok<ProjectObject>('GET', project.path)
    const before = await read()
    const refused = { status: 403, body: { code: 'forbidden' } }
    for (const change of [{ model: 'scripted/other' }, { isolation: 'dedicated' }, { name: 'Theirs' }]) {
      expect(await system.two.request('POST', '/project/init', { gitURL: project.url, ...change })).toMatchObject(
        refused,
      )
      await expect(two.call('opencode_project_start', { git_url: project.url, ...change })).rejects.toThrow(/forbidden/)
    }
    expect(
      await system.two.request('POST', '/project/init', { gitURL: project.url, metadata: { tags: ['theirs'] } }),
    ).toMatchObject(refused)
    await expect(two.call('opencode_llm_set_model', { git_url: project.url, model: 'scripted/other' })).rejects.toThrow(
      /forbidden/,
    )
    expect(await read()).toMatchObject({ ...before, lastAccessed: expect.anything(), updatedAt: expect.anything() })
    // Repeating the current values changes nothing.
    const same = { model: 'scripted/other', isolation: 'shared', name: before.name }
    await one.call('opencode_llm_set_model', { git_url: project.url, model: same.model })
    expect(await two.call('opencode_project_start', { git_url: project.url, ...same })).toMatchObject({
      status: 'already_running',
    })
  })

  it('are changed by a second start of the owner', async () => {
    const project = await shared()
    expect(
      await system.one.ok('POST', '/project/init', { gitURL: project.url, model: 'scripted/other', name: 'Mine' }),
    ).toMatchObject({ model: 'scripted/other', name: 'Mine' })
  })
})

describe('publishing from a shared project', () => {
  it('replaces what others pushed for the owner and operators only', async () => {
    const project = await shared()
    await makeSandbox(project, 'p', system.two)
    const publish = (as: RestCaller, body: object) =>
      as.request<object>('POST', `${project.path}/sandbox/p/publish`, body)
    expect(await publish(system.two, { force: true })).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    expect(await publish(system.two, {})).toMatchObject({ status: 200 })
    expect(await publish(system.one, { force: true })).toMatchObject({ status: 200 })
  })

  it('is refused once the project is no longer shared, also for earlier tasks', async () => {
    const project = await shared()
    const task = await work(project, system.two)
    task.end()
    await expect.poll(task.status, { interval: 100 }).toBe('completed')
    const publish = () => system.two.request<object>('POST', `/tasks/${task.id}/publish`, {})
    expect(await publish()).toMatchObject({ status: 200 })
    await system.one.ok('PATCH', project.path, { permissions: { agents: [] } })
    expect(await publish()).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    expect(await system.two.ok('GET', `/tasks/${task.id}`)).toMatchObject({ status: 'completed' })
  })
})
