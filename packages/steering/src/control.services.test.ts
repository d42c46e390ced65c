import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { controlTask } from './control.ts'
import { startSteering, type TestSteering } from './steering.fixture.ts'

let steering: TestSteering
const ann = { by: 'ann' }

beforeAll(async () => {
  steering = await startSteering()
})
beforeEach(() => {
  steering.onCommand(undefined)
  steering.commands.length = 0
  steering.enqueued.length = 0
})
afterAll(() => steering.close())

describe('cancel', () => {
  const cancel = { control: 'cancel', reason: 'not needed' } as const

  it('cancels a queued task at once, and records by whom and why', async () => {
    const task = await steering.task()
    expect(await controlTask(steering.deps, ann, task, cancel)).toEqual({
      task_id: task.id,
      control: 'cancel',
      outcome: 'done',
      status: 'cancelled',
    })
    expect(await steering.events(task.id)).toEqual([
      ['task_control', 'cancel requested by ann: not needed'],
      ['task_cancelled', 'cancelled while queued'],
    ])
    expect(await steering.read(task.id)).toMatchObject({ status: 'cancelled', control_reason: 'not needed' })
    expect(steering.commands).toEqual([])
  })

  it('returns done when the worker of a running task cancels it in time', async () => {
    const task = await steering.task('preparing', 'running')
    steering.onCommand(async () => {
      await steering.write(task.id, { to: 'cancelled', set: { completed_at: new Date() } })
    })
    expect(await controlTask(steering.deps, ann, task, cancel)).toMatchObject({ outcome: 'done', status: 'cancelled' })
    expect(steering.commands).toEqual([{ kind: 'control', task_id: task.id }])
  })

  it('returns requested when the worker does not act in time, and records the request once', async () => {
    const task = await steering.task('preparing', 'running')
    expect(await controlTask(steering.deps, ann, task, cancel)).toMatchObject({
      outcome: 'requested',
      status: 'running',
    })
    const row = await steering.read(task.id)
    expect(row.cancel_requested_at).toBeInstanceOf(Date)
    await controlTask(steering.deps, ann, row, cancel)
    expect(await steering.events(task.id)).toHaveLength(1)
  })

  it('returns already_ended when the task completes meanwhile', async () => {
    const task = await steering.task('preparing', 'running')
    steering.onCommand(async () => void (await steering.end(task.id)))
    expect(await controlTask(steering.deps, ann, task, cancel)).toMatchObject({
      outcome: 'already_ended',
      status: 'completed',
    })
  })

  it('returns already_ended for a task that has ended', async () => {
    const { id } = await steering.task('preparing', 'running')
    const ended = await steering.end(id)
    expect(await controlTask(steering.deps, ann, ended, cancel)).toMatchObject({
      outcome: 'already_ended',
      status: 'completed',
    })
  })

  it('reads the row again when a worker changed it meanwhile', async () => {
    const stale = await steering.task()
    await steering.write(stale.id, { to: 'preparing' })
    expect(await controlTask(steering.deps, ann, stale, cancel)).toMatchObject({
      outcome: 'requested',
      status: 'preparing',
    })
  })
})

describe('pause', () => {
  const pause = { control: 'pause' } as const

  it('pauses a queued task at once', async () => {
    const task = await steering.task()
    expect(await controlTask(steering.deps, ann, task, pause)).toMatchObject({ outcome: 'done', status: 'paused' })
    expect(await steering.events(task.id)).toEqual([
      ['task_control', 'pause requested by ann'],
      ['task_paused', 'paused before it started'],
    ])
  })

  it('returns already for a paused task', async () => {
    const task = await steering.task('paused')
    expect(await controlTask(steering.deps, ann, task, pause)).toMatchObject({ outcome: 'already', status: 'paused' })
  })

  it('returns done when the worker of a running task pauses it in time', async () => {
    const task = await steering.task('preparing', 'running')
    steering.onCommand(async () => void (await steering.write(task.id, { to: 'paused' })))
    expect(await controlTask(steering.deps, ann, task, pause)).toMatchObject({ outcome: 'done', status: 'paused' })
  })

  it('is not possible once a cancel was requested', async () => {
    const { id } = await steering.task('preparing', 'running')
    const task = await steering.write(id, { set: { cancel_requested_at: new Date() } })
    expect(await controlTask(steering.deps, ann, task, pause)).toMatchObject({
      outcome: 'not_possible',
      status: 'running',
    })
  })
})

describe('resume', () => {
  const resume = { control: 'resume' } as const

  it('queues a paused task again', async () => {
    const task = await steering.task('paused')
    expect(await controlTask(steering.deps, ann, task, resume)).toMatchObject({ outcome: 'done', status: 'queued' })
    expect(steering.enqueued).toEqual([task.id])
    expect(await steering.events(task.id)).toEqual([
      ['task_control', 'resume requested by ann'],
      ['task_resumed', 'resumed and queued again'],
    ])
  })

  it('resumes in the record when the queue is unavailable', async () => {
    const task = await steering.task('paused')
    const queue = { add: () => Promise.reject(new Error('no queue')) }
    expect(await controlTask({ ...steering.deps, queue }, ann, task, resume)).toMatchObject({ outcome: 'done' })
    expect(await steering.read(task.id)).toMatchObject({ status: 'queued' })
  })

  it('returns already for a task that is not paused', async () => {
    const task = await steering.task('preparing', 'running')
    expect(await controlTask(steering.deps, ann, task, resume)).toMatchObject({ outcome: 'already', status: 'running' })
  })

  it('withdraws a pause that the worker has not carried out', async () => {
    const { id } = await steering.task('preparing', 'running')
    const task = await steering.write(id, { set: { pause_requested_at: new Date() } })
    expect(await controlTask(steering.deps, ann, task, resume)).toMatchObject({
      outcome: 'requested',
      status: 'running',
    })
    expect(await steering.read(id)).toMatchObject({ pause_requested_at: null })
  })

  it('resumes after a pause that the worker carries out meanwhile', async () => {
    const { id } = await steering.task('preparing', 'running')
    const task = await steering.write(id, { set: { pause_requested_at: new Date() } })
    steering.onCommand(async () => {
      if ((await steering.read(id)).status === 'running') await steering.write(id, { to: 'paused' })
    })
    expect(await controlTask(steering.deps, ann, task, resume)).toMatchObject({ outcome: 'done', status: 'queued' })
  })
})
