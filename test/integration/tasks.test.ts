import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Task, TaskEvent } from '@switchyard/contracts'
import { FAILING_REPOSITORY, fixFailingTestScript, script, whyNoRedis } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { git, makeRepository } from './repository.ts'
import { type Backend, type System, startSystem } from './system.ts'

const noRedis = await whyNoRedis()

const types = (events: readonly TaskEvent[]) => events.map((event) => event.type)
const messages = (events: readonly TaskEvent[]) => events.map((event) => event.message).join('\n')

const expectNumberedFromOne = (events: readonly TaskEvent[]) =>
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1))

for (const backend of ['postgres', 'redis'] satisfies Backend[]) {
  describe.skipIf(backend === 'redis' && noRedis !== undefined)(
    `a task, with the queue on ${backend}${backend === 'redis' && noRedis ? ` (skipped: ${noRedis})` : ''}`,
    () => {
      let system: System
      let repositories: string

      beforeAll(async () => {
        repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
        system = await startSystem(backend)
      })

      afterAll(async () => {
        await system?.close()
        await rm(repositories, { recursive: true, force: true })
      })

      const running = async (id: string) => {
        await expect
          .poll(async () => ((await system.caller.get(`/tasks/${id}`)) as Task).status, {
            timeout: 20_000,
            interval: 50,
          })
          .toBe('running')
      }

      it('runs in a scratch repository and returns output, usage, cost, files and diff', async () => {
        const { caller } = system
        const { task_id } = await caller.submit({
          task_description: `Write. ${script([
            { tool: 'write', args: { filePath: 'hello.txt', content: 'hello\nworld\n' } },
            { tool: 'bash', args: { command: 'cat hello.txt; exit 3', description: 'look' } },
            { say: 'It is written.' },
          ])}`,
          metadata: { ticket: 7 },
        })
        const [events, task] = await Promise.all([caller.follow(task_id), caller.ended(task_id)])
        expect(task).toMatchObject({
          status: 'completed',
          mode: 'opencode',
          attempt: 1,
          error: null,
          model: 'scripted/model',
          metadata: { ticket: 7 },
          result: { output: 'It is written.', files_changed: ['hello.txt'], additions: 2, deletions: 0 },
        })
        expect(task.result?.usage.input).toBeGreaterThan(0)
        expect(task.result?.cost).toBeGreaterThan(0)
        expectNumberedFromOne(events)
        expect(types(events)).toEqual(
          expect.arrayContaining(['task_queued', 'task_started', 'task_progress', 'task_artifact', 'task_completed']),
        )
        expect(types(events).filter((type) => type === 'task_completed')).toHaveLength(1)
        expect(events.at(-1)?.type).toBe('task_completed')
        expect(messages(events)).toMatch(/hello\.txt/)
        expect(messages(events)).toMatch(/exit 3/)
        const diff = (await caller.get(`/tasks/${task_id}/diff?format=json`)) as {
          diff: string
          files: { path: string }[]
        }
        expect(diff.files).toMatchObject([{ path: 'hello.txt', status: 'added', additions: 2 }])
        expect(await caller.get(`/tasks/${task_id}/files/content?path=hello.txt`)).toMatchObject({
          content: 'hello\nworld\n',
        })
      })

      it('fixes a failing test of a repository in a worktree, on its own branch', async () => {
        const { caller } = system
        const repository = await makeRepository(path.join(repositories, 'failing'), FAILING_REPOSITORY)
        const { task_id } = await caller.submit({
          task_description: `Fix the test. ${fixFailingTestScript()}`,
          project: repository,
        })
        const task = await caller.ended(task_id)
        expect(task).toMatchObject({ status: 'completed', error: null, branch: `switchyard/${task_id}` })
        expect(task.project_id).toMatch(/^proj_/)
        expect(await git(task.directory ?? '', 'rev-parse', '--abbrev-ref', 'HEAD')).toBe(`switchyard/${task_id}`)
        expect(await git(repository, 'status', '--porcelain')).toBe('')
      })

      it('runs next to other tasks on one repository without touching their files', async () => {
        const { caller } = system
        const repository = await makeRepository(path.join(repositories, 'shared'), { 'README.md': 'begin\n' })
        const numbers = [1, 2, 3, 4, 5, 6]
        const ended = await Promise.all(
          numbers.map(async (number) => {
            const { task_id } = await caller.submit({
              task_description: script([
                { tool: 'write', args: { filePath: `file-${number}.txt`, content: `${number}\n` } },
                {
                  tool: 'bash',
                  args: {
                    command: 'git add -A && git -c user.name=a -c user.email=a@b commit -qm one',
                    description: 'commit',
                  },
                },
                { say: `did ${number}` },
              ]),
              project: `file://${repository}`,
            })
            return await caller.ended(task_id)
          }),
        )
        for (const [index, task] of ended.entries()) {
          expect(task).toMatchObject({ status: 'completed', result: { files_changed: [`file-${numbers[index]}.txt`] } })
          expect((await readdir(task.directory ?? '')).toSorted()).toEqual([
            '.git',
            'README.md',
            `file-${numbers[index]}.txt`,
          ])
        }
        expect(new Set(ended.map((task) => task.project_id)).size).toBe(1)
      })

      it('passes a message to the running session', async () => {
        const { caller, model } = system
        const { task_id } = await caller.submit({
          task_description: script([
            { tool: 'bash', args: { command: 'true', description: 'first' } },
            { hold: `steer-${backend}` },
            { tool: 'bash', args: { command: 'true', description: 'second' } },
            { say: 'Heard: {{last_user}}' },
          ]),
        })
        await running(task_id)
        const sent = await caller.post(`/tasks/${task_id}/messages`, { message: 'use tabs', message_type: 'guidance' })
        expect(sent).toMatchObject({ task_id, delivered: true })
        model.release(`steer-${backend}`)
        const task = await caller.ended(task_id)
        expect(task.status).toBe('completed')
        expect(task.result?.output).toContain('use tabs')
      })

      it('completes only after every message that was accepted during a short turn', async () => {
        const { caller, model } = system
        const said = Array.from({ length: 8 }, (_, index) => `whatever the moment ${backend} ${index}`)
        await Promise.all(
          said.map(async (message, index) => {
            const { task_id } = await caller.submit({ task_description: script([{ say: 'At once.' }]) })
            // From before the session exists to after the turn has ended.
            const isBegun = async () =>
              !['queued', 'preparing'].includes(((await caller.get(`/tasks/${task_id}`)) as Task).status)
            if (index % 2 === 0) await expect.poll(isBegun, { timeout: 20_000, interval: 20 }).toBe(true)
            const answer = await fetch(`${system.url}/tasks/${task_id}/messages`, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify({ message }),
            })
            await caller.ended(task_id)
            const received = model.requests.some((request) => request.lastUser.includes(message))
            expect({ index, received }).toEqual({ index, received: answer.ok })
          }),
        )
      })

      it('is cancelled within 2 s and keeps its changes', async () => {
        const { caller } = system
        const { task_id } = await caller.submit({
          task_description: script([
            { tool: 'write', args: { filePath: 'kept.txt', content: 'kept\n' } },
            { tool: 'bash', args: { command: 'sleep 300', description: 'long', timeout: 400_000 } },
            { say: 'never' },
          ]),
        })
        const follow = caller.follow(task_id)
        await expect
          .poll(
            async () => messages(((await caller.get(`/tasks/${task_id}/events`)) as { events: TaskEvent[] }).events),
            { timeout: 20_000 },
          )
          .toContain('sleep 300')
        const sent = await caller.post(`/tasks/${task_id}/control`, { control: 'cancel', reason: 'enough' })
        expect(sent).toMatchObject({ task_id, control: 'cancel', outcome: 'done', status: 'cancelled' })
        const task = await caller.ended(task_id)
        expect(task).toMatchObject({ status: 'cancelled', result: { files_changed: ['kept.txt'] } })
        expect(types(await follow).at(-1)).toBe('task_cancelled')
        const again = await caller.post(`/tasks/${task_id}/control`, { control: 'cancel' })
        expect(again).toMatchObject({ outcome: 'already_ended', status: 'cancelled' })
      })

      it('ends as timeout after timeout_ms, with the changes so far', async () => {
        const { caller } = system
        const { task_id } = await caller.submit({
          timeout_ms: 8_000,
          task_description: script([
            { tool: 'write', args: { filePath: 'so-far.txt', content: 'some\n' } },
            { hold: 'never-released' },
            { say: 'never' },
          ]),
        })
        const task = await caller.ended(task_id)
        expect(task).toMatchObject({
          status: 'timeout',
          error: { code: 'task_timeout', retryable: true },
          result: { files_changed: ['so-far.txt'] },
        })
      })

      it('pauses and resumes in the same session', async () => {
        const { caller } = system
        const { task_id } = await caller.submit({
          task_description: script([
            { tool: 'bash', args: { command: 'sleep 200', description: 'long', timeout: 400_000 } },
            { say: 'finished after the pause' },
          ]),
        })
        await running(task_id)
        await expect
          .poll(
            async () => messages(((await caller.get(`/tasks/${task_id}/events`)) as { events: TaskEvent[] }).events),
            { timeout: 20_000 },
          )
          .toContain('sleep 200')
        expect(await caller.post(`/tasks/${task_id}/control`, { control: 'pause' })).toMatchObject({
          outcome: 'done',
          status: 'paused',
        })
        const paused = (await caller.get(`/tasks/${task_id}`)) as Task
        expect(await caller.post(`/tasks/${task_id}/control`, { control: 'resume' })).toMatchObject({
          control: 'resume',
        })
        const task = await caller.ended(task_id)
        expect(task).toMatchObject({ status: 'completed', session_id: paused.session_id })
        const events = ((await caller.get(`/tasks/${task_id}/events?limit=1000`)) as { events: TaskEvent[] }).events
        expect(types(events)).toEqual(expect.arrayContaining(['task_paused', 'task_resumed', 'task_completed']))
        expectNumberedFromOne(events)
      })

      it('requests a permission under `ask` and continues with the reply', async () => {
        const { caller } = system
        const { task_id } = await caller.submit({
          permissions: 'ask',
          task_description: script([
            { tool: 'bash', args: { command: 'echo allowed > yes.txt', description: 'write' } },
            { say: 'done' },
          ]),
        })
        const asked = (await caller.get(`/tasks/${task_id}?wait_ms=20000`)) as Task
        expect(asked).toMatchObject({
          status: 'input_required',
          requests: [{ kind: 'permission', permission: 'bash' }],
        })
        const request = asked.requests[0]?.request_id
        await caller.post(`/tasks/${task_id}/requests/${request}/reply`, { reply: 'once' })
        const task = await caller.ended(task_id)
        expect(task).toMatchObject({ status: 'completed', result: { files_changed: ['yes.txt'] }, requests: [] })
      })

      it.each([
        ['an unknown model', { model: 'scripted/none' }, 'model_not_found'],
        ['an unknown agent', { agent: 'nobody' }, 'agent_not_found'],
      ])('refuses %s when the task is submitted', async (_, extra, code) => {
        await expect(system.caller.submit({ task_description: 'x', ...extra })).rejects.toThrow(code)
      })

      it.each([
        ['a repository that is not there', { project: 'file:///nowhere/at/all' }, 'repository_not_found'],
        ['a host that refuses', { project: 'https://127.0.0.1:1/o/r.git' }, 'repository_unavailable'],
      ])('fails with a typed error for %s', async (_, extra, code) => {
        const { task_id } = await system.caller.submit({ task_description: 'x', ...extra })
        const task = await system.caller.ended(task_id)
        expect(task).toMatchObject({ status: 'failed', error: { code } })
      })

      it.each([
        ['branch', { base_branch: 'no-such-branch' }, 'branch_not_found'],
        ['model', { model: 'scripted/none' }, 'model_not_found'],
        ['agent', { agent: 'nobody' }, 'agent_not_found'],
      ])('fails with a typed error for a project without that %s', async (_, extra, code) => {
        const repository = await makeRepository(path.join(repositories, `bad-${code}`), { a: 'a' })
        const { task_id } = await system.caller.submit({ task_description: 'x', project: repository, ...extra })
        const task = await system.caller.ended(task_id)
        expect(task).toMatchObject({ status: 'failed', error: { code } })
      })

      it('reports a failure of the model provider with its own code', async () => {
        const { task_id } = await system.caller.submit({
          task_description: script([{ fail: { status: 401, times: 0, message: 'bad key' } }, { say: 'never' }]),
        })
        expect(await system.caller.ended(task_id)).toMatchObject({ status: 'failed', error: { code: 'provider_auth' } })
      })
    },
  )
}
