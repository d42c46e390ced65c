import { type Problem, type Task, type TaskEvent, taskSchema } from '@switchyard/contracts'
import { reportServer } from '@switchyard/records'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { progress, startApi, type TestApi } from '../api.fixture.ts'

let database: TestDatabase
let test: TestApi

beforeAll(async () => {
  database = await createDatabase()
  test = await startApi(database.url)
})

afterAll(async () => {
  await test.close()
  await database.drop()
})

const submit = (body: unknown, headers: Record<string, string> = {}) =>
  test.call<Task & Pick<Problem, 'detail' | 'code' | 'hint' | 'errors'>>('POST', '/tasks', { body, headers })

describe('POST /tasks', () => {
  it('returns 202 with the record of a queued task', async () => {
    const { status, body, headers } = await submit({ task_description: 'fix the test', metadata: { ticket: 7 } })
    expect(status).toBe(202)
    expect(taskSchema.parse(body)).toEqual(body)
    expect(body).toMatchObject({
      status: 'queued',
      mode: 'opencode',
      agent_id: 'local',
      last_seq: 1,
      metadata: { ticket: 7 },
      requests: [],
    })
    expect(headers.get('location')).toBe(`/tasks/${body.task_id}`)
    expect(headers.get('x-request-id')).toMatch(/^req_/)
  })

  it('creates one task for 50 concurrent calls with the same key', async () => {
    const call = () => submit({ task_description: 'once', idempotency_key: 'fifty' })
    const answers = await Promise.all(Array.from({ length: 50 }, call))
    expect(new Set(answers.map((answer) => answer.body.task_id)).size).toBe(1)
    expect(answers.filter((answer) => answer.status === 202)).toHaveLength(1)
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(49)
  })

  it('rejects the same key with a different body, and accepts it with a different wait', async () => {
    const first = await submit({ task_description: 'one', idempotency_key: 'k', metadata: { a: 1, b: 2 } })
    const conflict = await submit({ task_description: 'two', idempotency_key: 'k' })
    expect(conflict).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } })
    expect(conflict.body.detail).toContain(first.body.task_id)
    const again = await submit({ metadata: { b: 2, a: 1 }, wait_ms: 1, task_description: 'one', idempotency_key: 'k' })
    expect(again).toMatchObject({ status: 200, body: { task_id: first.body.task_id } })
  })

  it('accepts the key in the Idempotency-Key header', async () => {
    const first = await submit({ task_description: 'h' }, { 'idempotency-key': 'header' })
    const again = await submit({ task_description: 'h', idempotency_key: 'header' })
    expect(again.body.task_id).toBe(first.body.task_id)
    const both = await submit({ task_description: 'h', idempotency_key: 'x' }, { 'idempotency-key': 'y' })
    expect(both).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  })

  it('accepts null for each optional field, and says plainly what is wrong with a field', async () => {
    const optional = { agent_id: null, project: null, wait_ms: null, observers: null, metadata: null, model: '' }
    const accepted = await test.call('POST', '/tasks', { body: { task_description: 'Fix it', ...optional } })
    expect(accepted).toMatchObject({ status: 202, body: { project_id: null, metadata: {} } })
    const invalid = await test.call('POST', '/tasks', { body: { wait_ms: 'abc', priority: 1.5 } })
    expect(invalid.body.detail).toBe(
      'task_description: is required; wait_ms: must be a number; priority: must be an integer',
    )
    const query = await test.call('GET', `/tasks/${accepted.body.task_id}?wait_ms=abc`)
    expect(query.body.detail).toBe('wait_ms: must be a number')
  })

  it('takes the agent from the argument, else from X-Agent-Id', async () => {
    const header = await submit({ task_description: 'a' }, { 'x-agent-id': 'letta-1' })
    expect(header.body.agent_id).toBe('letta-1')
    const argument = await submit({ task_description: 'a', agent_id: 'mine' }, { 'x-agent-id': 'letta-1' })
    expect(argument.body.agent_id).toBe('mine')
  })

  it('maps all URLs of a repository to one project, and reveals no credentials', async () => {
    const first = await submit({ task_description: 'p', project: 'https://me:secret@GitHub.com/o/r.git' })
    const second = await submit({ task_description: 'p', project: 'git@github.com:o/r' })
    expect(first.body.project_id).toMatch(/^proj_[0-9A-HJKMNP-TV-Z]{26}$/)
    expect(second.body.project_id).toBe(first.body.project_id)
    expect(JSON.stringify(first.body)).not.toContain('secret')
    const byId = await submit({ task_description: 'p', project: first.body.project_id })
    expect(byId).toMatchObject({ status: 202, body: { project_id: first.body.project_id } })
  })

  it.each([
    [{}, 'invalid_request', 'task_description'],
    [{ task_description: ' ' }, 'invalid_request', 'task_description'],
    [{ task_description: 'x'.repeat(200_001) }, 'invalid_request', 'task_description'],
    [{ task_description: 'x', branche: 'b' }, 'invalid_request', 'branche'],
    [{ task_description: 'x', priority: 11 }, 'invalid_request', 'priority'],
    [{ task_description: 'x', model: 'gpt' }, 'invalid_model', 'gpt'],
    [{ task_description: 'x', project: 'nonsense' }, 'invalid_project', 'project'],
    [{ task_description: 'x', project: 'proj_nope' }, 'invalid_project', 'proj_nope'],
    [{ task_description: 'x', project: 'ext::sh -c id' }, 'invalid_project', 'project'],
    [{ task_description: 'x', project: '/repo', branch: '-x' }, 'invalid_branch', '-x'],
    [{ task_description: 'x', project: '/repo', base_branch: 'a..b' }, 'invalid_branch', 'a..b'],
    [{ task_description: 'x', sandbox: 's' }, 'invalid_request', 'sandbox'],
    [{ task_description: 'x', project: '/repo', sandbox: 's', branch: 'b' }, 'invalid_request', 'sandbox'],
    [{ task_description: 'x', mode: 'docker' }, 'not_supported', 'docker'],
    [{ task_description: 'x', callback_url: 'file:///etc/passwd' }, 'invalid_request', 'callback_url'],
    [[], 'invalid_request', ''],
  ])('rejects %o with %s', async (body, code, named) => {
    const { status, body: problem, headers } = await submit(body)
    expect(status).toBe(400)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(problem).toMatchObject({ code, retryable: false, status: 400, instance: '/tasks' })
    expect(problem.hint).not.toBe('')
    expect(problem.detail).toContain(named)
    if (code === 'invalid_request') expect(problem.errors?.map((error) => error.path)).toContain(named)
  })

  it('checks models and agents once a server has reported them, unless the task has a repository', async () => {
    const catalog = {
      providers: [{ id: 'acme', models: ['fast/1'] }],
      agents: ['build'],
      default_model: 'acme/fast/1',
    }
    await reportServer(test.records.db, { id: 'one', state: 'up', version: '1.18.33', detail: null, catalog })
    const known = await submit({ task_description: 'x', model: 'acme/fast/1', agent: 'build' })
    // The cached catalog may be used for some seconds, but never to refuse a task.
    await expect
      .poll(async () => (await submit({ task_description: 'x', model: 'acme/slow' })).body, { timeout: 10_000 })
      .toMatchObject({ status: 422, code: 'model_not_found' })
    expect(known.status).toBe(202)
    const agent = await submit({ task_description: 'x', agent: 'nobody' })
    expect(agent).toMatchObject({ status: 422, body: { code: 'agent_not_found' } })
    const own = await submit({ task_description: 'x', model: 'own/model', project: '/repo' })
    expect(own.status).toBe(202)
  })
})

describe('GET /tasks', () => {
  it('returns 404 for an unknown id', async () => {
    for (const id of ['task_01K5A0Z9F6M2Q7R8S9T0V1W2X3', 'nonsense', 'task_../../etc'])
      expect(await test.call('GET', `/tasks/${encodeURIComponent(id)}`)).toMatchObject({
        status: 404,
        body: { code: 'task_not_found' },
      })
  })

  it('waits until the task ends, and no longer', async () => {
    const { task_id: id } = await test.accept()
    const waiting = test.call<Task>('GET', `/tasks/${id}?wait_ms=20000`)
    await test.write(id, { to: 'preparing', events: [progress('taken')] })
    await test.write(id, { to: 'running', events: [progress('runs')] })
    await test.write(id, { to: 'completed', events: [{ type: 'task_completed', message: 'done', data: {} }] })
    const began = performance.now()
    expect((await waiting).body.status).toBe('completed')
    expect(performance.now() - began).toBeLessThan(1_000)
  })

  it('detects the end by polling when the signal is lost', async () => {
    const { task_id: id } = await test.accept()
    const waiting = test.call<Task>('GET', `/tasks/${id}?wait_ms=20000`)
    await test.write(id, { to: 'failed', silently: true })
    expect((await waiting).body.status).toBe('failed')
  })

  it('returns the current record when the wait is over', async () => {
    const { task_id: id } = await test.accept()
    const { status, body } = await test.call<Task>('GET', `/tasks/${id}?wait_ms=30`)
    expect({ status, task: body.status }).toEqual({ status: 200, task: 'queued' })
    expect((await test.call('GET', `/tasks/${id}?wait_ms=50001`)).status).toBe(400)
  })

  it('pages through all tasks without a gap, newest first', async () => {
    const made: string[] = []
    for (let at = 0; at < 7; at += 1) made.push((await test.accept({ agent_id: 'pager' })).task_id)
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: string = `agent_id=pager&limit=3${cursor ? `&cursor=${cursor}` : ''}`
      const page = await test.call<{ tasks: Task[]; next_cursor: string | null }>('GET', `/tasks?${query}`)
      seen.push(...page.body.tasks.map((task) => task.task_id))
      cursor = page.body.next_cursor
    }
    expect(seen).toEqual(made.toReversed())
  })

  it('filters by status, project and text', async () => {
    const task = await test.accept({ task_description: 'a 100% rare_word', project: '/somewhere/repo' })
    const found = await test.call<{ tasks: Task[] }>('GET', '/tasks?status=queued,paused&q=100%25%20rare_')
    expect(found.body.tasks.map((one) => one.task_id)).toEqual([task.task_id])
    const byPath = await test.call<{ tasks: Task[] }>('GET', '/tasks?project_id=/somewhere/repo')
    expect(byPath.body.tasks.map((one) => one.task_id)).toEqual([task.task_id])
    const empty = await test.call<{ tasks: Task[] }>('GET', '/tasks?project_id=/somewhere/repo&agent_id=&cursor=')
    expect(empty.body.tasks.map((one) => one.task_id)).toEqual([task.task_id])
    for (const query of ['cursor=xyz', 'status=new', 'limit=0', 'limit=101', 'page=2'])
      expect(await test.call('GET', `/tasks?${query}`)).toMatchObject({
        status: 400,
        body: { code: 'invalid_request' },
      })
  })
})

describe('GET /tasks/{id}/events', () => {
  it('pages events by number, and says whether more exist', async () => {
    const { task_id: id } = await test.accept()
    for (let at = 0; at < 5; at += 1) await test.write(id, { events: [progress(`step ${at}`)] })
    type Page = { events: TaskEvent[]; last_seq: number; has_more: boolean }
    const first = await test.call<Page>('GET', `/tasks/${id}/events?limit=4`)
    expect(first.body.events.map((event) => event.seq)).toEqual([1, 2, 3, 4])
    expect(first.body).toMatchObject({ last_seq: 6, has_more: true })
    const rest = await test.call<Page>('GET', `/tasks/${id}/events?after=4`)
    expect(rest.body.events.map((event) => event.seq)).toEqual([5, 6])
    expect(rest.body.has_more).toBe(false)
  })
})
