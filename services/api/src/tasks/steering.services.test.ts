import { newRequestId, newWorkerId, type Task, type TaskEvent, type TaskId, type WorkerId } from '@switchyard/contracts'
import {
  findRequest,
  findTaskRow,
  markDelivered,
  openRequest,
  reportWorker,
  takeTask,
  undeliveredMessages,
} from '@switchyard/records'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { sql } from 'kysely'
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

/** Claims this task for a worker, regardless of other queued tasks. */
const take = async (id: TaskId, worker: WorkerId) => {
  await sql`UPDATE tasks SET status = 'preparing' WHERE id = ${id} AND status = 'queued'`.execute(test.records.db)
  await takeTask(test.records.db, id, worker, { opencode: 'server' })
}

const run = async (): Promise<TaskId> => {
  const { task_id: id } = await test.accept()
  const worker = newWorkerId()
  await reportWorker(test.records.db, { id: worker, hostname: 'here', concurrency: 1, queueNames: ['blue'] })
  await take(id, worker)
  await test.write(id, { to: 'running', events: [progress('runs')] })
  return id
}

const control = (id: string, body: Record<string, unknown>) =>
  test.call<Record<string, unknown>>('POST', `/tasks/${id}/control`, { body })

const typesOf = async (id: string) =>
  (await test.call<{ events: TaskEvent[] }>('GET', `/tasks/${id}/events`)).body.events.map((event) => event.type)

const get = async (id: string) => (await test.call<Task>('GET', `/tasks/${id}`)).body

describe('messages', () => {
  it('are stored for a task that is not running yet', async () => {
    const { task_id: id } = await test.accept()
    const { status, body } = await test.call('POST', `/tasks/${id}/messages`, {
      body: { message: 'also the docs', message_type: 'correction' },
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({ task_id: id, delivered: false, message_id: expect.stringMatching(/^msg_/) })
    expect(await typesOf(id)).toEqual(['task_queued', 'task_message'])
    expect(await undeliveredMessages(test.records.db, id)).toHaveLength(1)
  })

  it('report delivery once the session has them', async () => {
    const id = await run()
    const off = await test.bus.onCommand(async (command) => {
      if (command.task_id !== id || command.kind !== 'message') return
      const [waiting] = await undeliveredMessages(test.records.db, id)
      if (waiting) await markDelivered(test.records.db, waiting.id)
    })
    const { body } = await test.call('POST', `/tasks/${id}/messages`, { body: { message: 'use tabs' } })
    off()
    expect(body.delivered).toBe(true)
  })

  it('are rejected after the task has ended', async () => {
    const id = await run()
    await test.write(id, { to: 'completed' })
    const answer = await test.call('POST', `/tasks/${id}/messages`, { body: { message: 'late' } })
    expect(answer).toMatchObject({ status: 409, body: { code: 'task_ended' } })
    const empty = await test.call('POST', `/tasks/${id}/messages`, { body: { message: ' ' } })
    expect(empty).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  })
})

describe('cancel', () => {
  it('ends a queued task immediately, and returns the same outcome again', async () => {
    const { task_id: id } = await test.accept()
    const { body } = await control(id, { control: 'cancel', reason: 'wrong repository' })
    expect(body).toEqual({ task_id: id, control: 'cancel', outcome: 'done', status: 'cancelled' })
    expect(await typesOf(id)).toEqual(['task_queued', 'task_control', 'task_cancelled'])
    expect((await get(id)).completed_at).not.toBeNull()
    expect((await control(id, { control: 'cancel' })).body).toMatchObject({
      outcome: 'already_ended',
      status: 'cancelled',
    })
  })

  it('requests the worker of a running task to stop, and returns the outcome', async () => {
    const id = await run()
    const off = await test.bus.onCommand(async (command) => {
      if (command.task_id === id && command.kind === 'control') await test.write(id, { to: 'cancelled' })
    })
    const began = performance.now()
    expect((await control(id, { control: 'cancel' })).body).toMatchObject({ outcome: 'done', status: 'cancelled' })
    expect(performance.now() - began).toBeLessThan(1_000)
    off()
  })

  it('returns requested if the worker is slow, and stays in effect', async () => {
    const id = await run()
    const began = performance.now()
    expect((await control(id, { control: 'cancel' })).body).toMatchObject({ outcome: 'requested', status: 'running' })
    expect(performance.now() - began).toBeLessThan(3_500)
    expect((await findTaskRow(test.records.db, id))?.cancel_requested_at).not.toBeNull()
    await control(id, { control: 'cancel' })
    expect((await typesOf(id)).filter((type) => type === 'task_control')).toHaveLength(1)
  })

  it('reaches a worker that starts the task at the same moment', async () => {
    for (let at = 0; at < 10; at += 1) {
      const { task_id: id } = await test.accept()
      const off = await test.bus.onCommand(async (command) => {
        if (command.task_id === id) await test.write(id, { to: 'cancelled' })
      })
      const worker = newWorkerId()
      await reportWorker(test.records.db, { id: worker, hostname: 'here', concurrency: 1, queueNames: ['blue'] })
      const [answer] = await Promise.all([control(id, { control: 'cancel' }), take(id, worker)])
      expect(answer.body).toMatchObject({ outcome: 'done', status: 'cancelled' })
      off()
    }
  })
})

describe('pause and resume', () => {
  it('hold back a queued task and enqueue it again', async () => {
    const { task_id: id } = await test.accept()
    expect((await control(id, { control: 'resume' })).body).toMatchObject({ outcome: 'already', status: 'queued' })
    expect((await control(id, { control: 'pause' })).body).toMatchObject({ outcome: 'done', status: 'paused' })
    expect((await control(id, { control: 'pause' })).body).toMatchObject({ outcome: 'already', status: 'paused' })
    expect((await control(id, { control: 'resume' })).body).toMatchObject({ outcome: 'done', status: 'queued' })
    expect(await typesOf(id)).toEqual(['task_queued', 'task_control', 'task_paused', 'task_control', 'task_resumed'])
    expect((await control(id, { control: 'stop' })).status).toBe(400)
  })

  it('are requests to the worker of a running task', async () => {
    const id = await run()
    const off = await test.bus.onCommand(async (command) => {
      if (command.task_id === id && command.kind === 'control') await test.write(id, { to: 'paused' })
    })
    expect((await control(id, { control: 'pause' })).body).toMatchObject({ outcome: 'done', status: 'paused' })
    off()
    expect((await control(id, { control: 'cancel' })).body).toMatchObject({ outcome: 'done', status: 'cancelled' })
    expect((await control(id, { control: 'resume' })).body).toMatchObject({ outcome: 'already_ended' })
  })
})

describe('replies to requests', () => {
  const ask = async (id: TaskId, kind: 'permission' | 'question', questions = 1) => {
    const requestId = newRequestId()
    await openRequest(test.records.db, id, {
      id: requestId,
      opencode_id: requestId,
      session_id: 'ses_1',
      kind,
      title: 'may I?',
      permission: kind === 'permission' ? 'bash' : null,
      patterns: [],
      always: [],
      questions: Array.from({ length: kind === 'question' ? questions : 0 }, () => ({
        question: 'which?',
        header: null,
        options: [{ label: 'a', description: null }],
        multiple: false,
      })),
      default_reply: 'reject',
      expires_at: new Date(Date.now() + 60_000),
    })
    await test.write(id, {
      to: 'input_required',
      events: [{ type: 'task_input_required', message: 'may I?', data: {} }],
    })
    return requestId
  }

  const reply = (id: string, requestId: string, body: unknown) =>
    test.call('POST', `/tasks/${id}/requests/${requestId}/reply`, { body })

  it('are stored and count once; a pending request ends a wait', async () => {
    const id = await run()
    const waiting = test.call<Task>('GET', `/tasks/${id}?wait_ms=20000`)
    const requestId = await ask(id, 'permission')
    const { body: task } = await waiting
    expect(task).toMatchObject({ status: 'input_required', requests: [{ request_id: requestId, permission: 'bash' }] })
    const answers = await Promise.all([
      reply(id, requestId, { reply: 'once' }),
      reply(id, requestId, { reply: 'reject' }),
    ])
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409])
    expect((await findRequest(test.records.db, id, requestId))?.reply).not.toBeNull()
    expect((await typesOf(id)).filter((type) => type === 'task_input_answered')).toHaveLength(1)
    expect((await get(id)).requests).toEqual([])
    expect(await reply(id, requestId, { reply: 'once' })).toMatchObject({ body: { code: 'request_already_answered' } })
  })

  it('must match the form of the request', async () => {
    const id = await run()
    const permission = await ask(id, 'permission')
    for (const wrong of ['maybe', [['once']]])
      expect(await reply(id, permission, { reply: wrong })).toMatchObject({
        status: 400,
        body: { code: 'invalid_request' },
      })
    const two = await ask(await run(), 'question', 2)
    const asking = (await run()) as TaskId
    const one = await ask(asking, 'question')
    expect(await reply(asking, two, { reply: 'a' })).toMatchObject({ status: 404, body: { code: 'request_not_found' } })
    expect((await reply(asking, one, { reply: [['a', 'b']] })).status).toBe(400)
    expect((await reply(asking, one, { reply: [['a'], ['b']] })).status).toBe(400)
    expect((await reply(asking, one, { reply: 'in my own words' })).status).toBe(200)
    expect((await findRequest(test.records.db, asking, one))?.reply).toEqual({
      reply: [['in my own words']],
      message: null,
    })
  })
})
