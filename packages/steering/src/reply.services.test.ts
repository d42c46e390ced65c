import { findRequest } from '@switchyard/records'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { answerRequest } from './reply.ts'
import { startSteering, type TestSteering } from './steering.fixture.ts'

let steering: TestSteering
const ann = { by: 'ann' }

beforeAll(async () => {
  steering = await startSteering()
})
beforeEach(() => {
  steering.commands.length = 0
})
afterAll(() => steering.close())

const question = (text: string, multiple = false) => ({
  header: text,
  question: text,
  options: [],
  multiple,
  custom: true,
})

describe('answering a permission request', () => {
  const asked = async () => {
    const task = await steering.task('preparing', 'running', 'input_required')
    return { task, request: await steering.request(task.id, {}) }
  }

  it.each(['once', 'always', 'reject'] as const)('records %s and notifies the worker', async (reply) => {
    const { task, request } = await asked()
    expect(await answerRequest(steering.deps, ann, task, request.id, { reply, message: 'fine' })).toEqual({
      task_id: task.id,
      request_id: request.id,
      status: 'input_required',
    })
    expect(await findRequest(steering.deps.records.db, task.id, request.id)).toMatchObject({
      reply: { reply, message: 'fine' },
      replied_by: 'ann',
    })
    expect(await steering.events(task.id)).toContainEqual(['task_input_answered', `answered by ann: ${reply}`])
    expect(steering.commands).toEqual([{ kind: 'reply', task_id: task.id }])
  })

  it('refuses words that are no permission', async () => {
    const { task, request } = await asked()
    await expect(answerRequest(steering.deps, ann, task, request.id, { reply: 'yes' })).rejects.toMatchObject({
      code: 'invalid_request',
    })
  })

  it('records the first of two answers', async () => {
    const { task, request } = await asked()
    const answers = await Promise.allSettled(
      ['once', 'reject'].map((reply) => answerRequest(steering.deps, ann, task, request.id, { reply })),
    )
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(answers).toContainEqual({
      status: 'rejected',
      reason: expect.objectContaining({ code: 'request_already_answered' }),
    })
    expect((await steering.events(task.id)).filter(([type]) => type === 'task_input_answered')).toHaveLength(1)
  })

  it('refuses an answer to a task that has ended', async () => {
    const { task, request } = await asked()
    const ended = await steering.end(task.id)
    await expect(answerRequest(steering.deps, ann, ended, request.id, { reply: 'once' })).rejects.toMatchObject({
      code: 'task_ended',
    })
    await expect(answerRequest(steering.deps, ann, task, request.id, { reply: 'once' })).rejects.toMatchObject({
      code: 'task_ended',
    })
  })

  it('reports a request that the task does not have', async () => {
    const { task } = await asked()
    await expect(answerRequest(steering.deps, ann, task, 'req_x', { reply: 'once' })).rejects.toMatchObject({
      code: 'request_not_found',
    })
  })
})

describe('answering a question', () => {
  const asked = async (...questions: readonly ReturnType<typeof question>[]) => {
    const task = await steering.task('preparing', 'running', 'input_required')
    const request = await steering.request(task.id, { kind: 'question', permission: null, questions: [...questions] })
    const reply = async (given: Parameters<typeof answerRequest>[4]['reply']) => {
      await answerRequest(steering.deps, ann, task, request.id, { reply: given })
      return (await findRequest(steering.deps.records.db, task.id, request.id))?.reply?.reply
    }
    return reply
  }

  it('accepts words for a single question', async () => {
    const reply = await asked(question('Which port?'))
    expect(await reply('8080')).toEqual([['8080']])
  })

  it('accepts a list of answers for each question', async () => {
    const reply = await asked(question('Which port?'), question('Which files?', true))
    expect(await reply([['8080'], ['a', 'b']])).toEqual([['8080'], ['a', 'b']])
  })

  it('accepts reject', async () => {
    const reply = await asked(question('Which port?'), question('Which files?'))
    expect(await reply('reject')).toBe('reject')
  })

  it.each([
    ['words for two questions', '8080', [question('a'), question('b')]],
    ['too few answers', [['8080']], [question('a'), question('b')]],
    ['an empty answer', [[' ']], [question('a')]],
    ['two answers to a question that accepts one', [['a', 'b']], [question('a')]],
  ] as const)('refuses %s', async (_what, given, questions) => {
    const reply = await asked(...questions)
    await expect(reply(typeof given === 'string' ? given : given.map((answers) => [...answers]))).rejects.toMatchObject(
      {
        code: 'invalid_request',
      },
    )
  })
})
