import { type MessageId, newMessageId } from '@switchyard/contracts'
import { findMessage, findToldType, markDelivered, undeliveredMessages } from '@switchyard/records'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sendTaskMessage } from './message.ts'
import { startSteering, type TestSteering } from './steering.fixture.ts'

let steering: TestSteering
const ann = { by: 'ann', sourceKey: 'matrix:$1' }

beforeAll(async () => {
  steering = await startSteering()
})
beforeEach(() => {
  steering.onCommand(undefined)
  steering.commands.length = 0
})
afterAll(() => steering.close())

describe('sendTaskMessage', () => {
  it('records the message and notifies the worker', async () => {
    const task = await steering.task()
    const sent = await sendTaskMessage(steering.deps, ann, task, { message: 'Use tabs.' })
    expect(sent).toEqual({ task_id: task.id, message_id: expect.stringMatching(/^msg_/), delivered: false })
    expect(await findMessage(steering.deps.records.db, sent.message_id as MessageId)).toMatchObject({
      task_id: task.id,
      message: 'Use tabs.',
    })
    expect(steering.commands).toEqual([{ kind: 'message', task_id: task.id }])
    expect(await steering.events(task.id)).toEqual([['task_message', expect.stringContaining('Use tabs.')]])
    expect(await findToldType(steering.deps.records.db, task.id, ann.sourceKey)).toBe('task_message')
  })

  it('returns delivered when the worker gives it to the session in time', async () => {
    const task = await steering.task('preparing', 'running')
    steering.onCommand(async () => {
      for (const { id } of await undeliveredMessages(steering.deps.records.db, task.id))
        await markDelivered(steering.deps.records.db, id)
    })
    const sent = await sendTaskMessage(steering.deps, { by: 'ann' }, task, { message: 'Use tabs.' })
    expect(sent).toMatchObject({ delivered: true })
  })

  it('returns not delivered when the worker takes longer', async () => {
    const task = await steering.task('preparing', 'running')
    const sent = await sendTaskMessage(steering.deps, { by: 'ann' }, task, { message: 'Use tabs.' })
    expect(sent).toMatchObject({ delivered: false })
  })

  it('records a message with the same id once', async () => {
    const task = await steering.task()
    const id = newMessageId()
    await sendTaskMessage(steering.deps, ann, task, { message: 'Use tabs.' }, id)
    await expect(sendTaskMessage(steering.deps, ann, task, { message: 'Use tabs.' }, id)).rejects.toThrow()
    expect(await steering.events(task.id)).toHaveLength(1)
  })

  it('refuses a message to a task that has ended', async () => {
    const { id } = await steering.task('preparing', 'running')
    const ended = await steering.end(id)
    await expect(sendTaskMessage(steering.deps, ann, ended, { message: 'Use tabs.' })).rejects.toMatchObject({
      code: 'task_ended',
    })
    expect(steering.commands).toEqual([])
  })
})
