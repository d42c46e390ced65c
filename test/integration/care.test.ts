// Tasks that nobody answers, that get stuck or exceed the queue limit, and what retention removes
// after they end.

import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Task, TaskEvent } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { git, makeRepository } from './repository.ts'
import { type System, startSystem } from './system.ts'

let system: System

const events = async (id: string) =>
  ((await system.caller.get(`/tasks/${id}/events?limit=1000`)) as { events: TaskEvent[] }).events
const read = async (id: string) => (await system.caller.get(`/tasks/${id}`)) as Task
const asking = async (id: string) => (await system.caller.get(`/tasks/${id}?wait_ms=20000`)) as Task
const reply = (task: Task, body: object) =>
  system.caller.post(`/tasks/${task.task_id}/requests/${task.requests[0]?.request_id}/reply`, body)

const bash = (command: string) => ({ tool: 'bash', args: { command, description: command } })

describe('task limits', () => {
  beforeAll(async () => {
    system = await startSystem('postgres', {
      REQUEST_TIMEOUT_MS: '4000',
      TASK_STUCK_MS: '3000',
      MAX_CONCURRENT_TASKS: '2',
      MAX_QUEUED_TASKS: '2',
    })
  })

  afterAll(() => system?.close())

  it('applies the default reply when nobody answers a request', async () => {
    const { task_id } = await system.caller.submit({
      permissions: 'ask',
      task_description: script([bash('echo no > no.txt'), { say: 'went on without' }]),
    })
    const asked = await asking(task_id)
    expect(asked).toMatchObject({ status: 'input_required', requests: [{ default_reply: 'reject' }] })
    const task = await system.caller.ended(task_id)
    expect(task).toMatchObject({ status: 'completed', result: { output: 'went on without', files_changed: [] } })
    const answered = (await events(task_id)).filter((event) => event.type === 'task_input_answered')
    expect(answered).toMatchObject([{ data: { by: 'default', reply: 'reject' } }])
  })

  it('asks once per task for a command that is always allowed', async () => {
    const steps = script([bash('echo 1 >> a.txt'), bash('echo 1 >> a.txt'), { say: 'done' }])
    const { task_id } = await system.caller.submit({ permissions: 'ask', task_description: steps })
    await reply(await asking(task_id), { reply: 'always' })
    expect(await system.caller.ended(task_id)).toMatchObject({ status: 'completed', result: { additions: 2 } })
    const asks = (await events(task_id)).filter((event) => event.type === 'task_input_required')
    expect(asks).toHaveLength(1)
    const next = await system.caller.submit({ permissions: 'ask', task_description: steps })
    const asked = await asking(next.task_id)
    expect(asked.status).toBe('input_required')
    await system.caller.post(`/tasks/${next.task_id}/control`, { control: 'cancel' })
  })

  it('passes the reason for a rejection to the agent', async () => {
    const { task_id } = await system.caller.submit({
      permissions: 'ask',
      task_description: script([bash('rm -rf x'), { say: 'Result: {{last_tool_output}}' }]),
    })
    await reply(await asking(task_id), { reply: 'reject', message: 'use git rm' })
    const task = await system.caller.ended(task_id)
    expect(task.status).toBe('completed')
    expect(task.result?.output).toContain('use git rm')
  })

  it('passes a question to the caller and the answer to the agent', async () => {
    const question = {
      question: 'Which one?',
      header: 'Choice',
      options: [
        { label: 'red', description: 'r' },
        { label: 'blue', description: 'b' },
      ],
    }
    const { task_id } = await system.caller.submit({
      permissions: 'ask',
      task_description: script([
        { tool: 'question', args: { questions: [question] } },
        { say: 'Chosen: {{last_tool_output}}' },
      ]),
    })
    const asked = await asking(task_id)
    expect(asked).toMatchObject({
      status: 'input_required',
      requests: [
        { kind: 'question', questions: [{ question: 'Which one?', options: [{ label: 'red' }, { label: 'blue' }] }] },
      ],
    })
    await reply(asked, { reply: [['blue']] })
    const task = await system.caller.ended(task_id)
    expect(task.result?.output).toContain('blue')
  })

  it('sends a nudge to a stuck task, then ends it with the changes so far', async () => {
    const { task_id } = await system.caller.submit({
      task_description: script([
        { tool: 'write', args: { filePath: 'some.txt', content: 'some\n' } },
        { hold: 'for-ever' },
        { say: 'never' },
      ]),
    })
    const task = await system.caller.ended(task_id)
    expect(task).toMatchObject({
      status: 'timeout',
      error: { code: 'task_stuck' },
      result: { files_changed: ['some.txt'] },
    })
    expect((await events(task_id)).filter((event) => event.data.kind === 'nudge')).toHaveLength(1)
  })

  it('rejects a task when the queue is full', async () => {
    const held = { task_description: script([{ hold: 'full' }, { say: 'done' }]), timeout_ms: 60_000 }
    const ids: string[] = []
    for (let n = 0; n < 2; n++) ids.push((await system.caller.submit(held)).task_id)
    for (const id of ids) await expect.poll(async () => (await read(id)).status, { timeout: 20_000 }).toBe('running')
    for (let n = 0; n < 2; n++) ids.push((await system.caller.submit(held)).task_id)
    await expect(system.caller.submit(held)).rejects.toThrow(/429.*queue_full/s)
    system.model.release('full')
    for (const id of ids) expect(await system.caller.ended(id)).toMatchObject({ status: 'completed' })
  })
})

describe('retention', () => {
  let repositories: string

  beforeAll(async () => {
    repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
    system = await startSystem('postgres', {
      WORKSPACE_RETENTION_MS: '1500',
      EVENT_RETENTION_MS: '3000',
      RECORD_RETENTION_MS: '12000',
    })
  })

  afterAll(async () => {
    await system?.close()
    await rm(repositories, { recursive: true, force: true })
  })

  it('removes the directory, the events and the record in turn, and saves the work in bundles', async () => {
    const { caller } = system
    const repository = await makeRepository(path.join(repositories, 'r'), { 'a.txt': 'a\n' })
    const { task_id } = await caller.submit({
      project: repository,
      task_description: script([
        bash('echo stashed > a.txt && git -c user.name=a -c user.email=a@b stash -q'),
        bash('echo b >> a.txt && git -c user.name=a -c user.email=a@b commit -qam one && echo c > c.txt'),
        { say: 'done' },
      ]),
    })
    const task = await caller.ended(task_id)
    expect(task).toMatchObject({ status: 'completed', result: { files_changed: ['a.txt', 'c.txt'] } })
    const directory = task.directory ?? ''
    const expectFor = (what: () => unknown) => expect.poll(what, { timeout: 30_000, interval: 200 })

    await expectFor(() => existsSync(directory)).toBe(false)
    const bundle = path.join(system.home, 'bundles', `${task_id}.bundle`)
    await git(repository, 'fetch', '--quiet', bundle, `${task.branch}:saved`, 'refs/switchyard/stash/0:stash')
    expect(await git(repository, 'show', 'saved:c.txt')).toBe('c')
    expect(await git(repository, 'show', 'stash:a.txt')).toBe('stashed')
    await expectFor(() => caller.get(`/tasks/${task_id}/files`).then(() => 'there', String)).toMatch(
      /410.*workspace_gone/s,
    )
    expect(await caller.get(`/tasks/${task_id}/diff?format=json`)).toMatchObject({
      files: [{ path: 'a.txt' }, { path: 'c.txt' }],
    })
    // The repository belongs to no registered project: its mirror and objects are removed with its last directory.
    for (const folder of ['workspaces/objects', 'mirrors'])
      await expectFor(() => readdir(path.join(system.home, folder))).toEqual([])
    await expect(
      system.switchyard.opencode?.client.session({ sessionId: task.session_id ?? '', directory: repository }),
    ).rejects.toMatchObject({ code: 'session_lost' })

    await expectFor(() => caller.get(`/tasks/${task_id}/events`).then(() => 'there', String)).toMatch(
      /410.*events_expired/s,
    )
    expect(await caller.get(`/tasks/${task_id}/events?after=${task.last_seq - 1}`)).toMatchObject({
      events: [{ seq: task.last_seq, type: 'task_completed' }],
    })
    await expectFor(() => caller.get(`/tasks/${task_id}`).then(() => 'there', String)).toMatch(/404.*task_not_found/s)
  })

  it('keeps a directory with a file that is too large for a bundle', { timeout: 180_000 }, async () => {
    const { caller } = system
    const run = async (command: string) => {
      const { task_id } = await caller.submit({ task_description: script([bash(command), { say: 'done' }]) })
      return (await caller.ended(task_id)).directory ?? ''
    }
    const kept = await run('truncate -s 600M huge.bin && echo mine > mine.txt')
    const cleared = await run('echo x > x.txt')
    await expect.poll(() => existsSync(cleared), { timeout: 60_000 }).toBe(false)
    expect(existsSync(path.join(kept, 'mine.txt'))).toBe(true)
  })
})
