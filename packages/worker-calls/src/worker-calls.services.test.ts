import { newTaskId, newWorkerId, SwitchyardError, type TaskId } from '@switchyard/contracts'
import { createBus } from '@switchyard/queue'
import { acceptTask, advance, findTaskRow, Records, reportWorker, storeDiff, type TaskRow } from '@switchyard/records'
import { createDatabase, ordinaryTask, type TestDatabase } from '@switchyard/testing'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type AnsweringCalls, startAnsweringCalls, TaskWorkspaces, WorkerCalls } from './index.ts'

const logger = pino({ level: 'silent' })

let database: TestDatabase
let records: Records
let bus: ReturnType<typeof createBus>
const workers: AnsweringCalls[] = []

type Handlers = Parameters<typeof startAnsweringCalls>[0]['handlers']

const startWorker = async (handlers: Handlers): Promise<AnsweringCalls> => {
  const workerId = newWorkerId()
  await reportWorker(records.db, { id: workerId, hostname: 'test', concurrency: 1, queueNames: [] })
  const worker = await startAnsweringCalls({ records, bus, workerId, targets: ['any'], handlers, logger })
  workers.push(worker)
  return worker
}

const newTask = async (set: Parameters<typeof advance>[1]['set'] = {}): Promise<TaskRow> => {
  const { row } = await acceptTask(records.db, { ...ordinaryTask(), id: newTaskId() })
  const written = await advance(records.db, { taskId: row.id, generation: null, to: 'preparing', set, events: [] })
  return written?.task ?? row
}

beforeAll(async () => {
  database = await createDatabase()
  records = new Records({ connectionString: database.url, applicationName: 'worker-calls-test' })
  await records.migrate()
  bus = createBus(undefined, logger)
})

afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop()
})

afterAll(async () => {
  await bus.close()
  await records.close()
  await database.drop()
})

describe('WorkerCalls', () => {
  const args = { path: '/srv/app' }
  const result = { place: '/srv/app', is_checkout: true, origin: null, main: null }

  it('returns the answer of a worker', async () => {
    await startWorker({ 'project.inspect': async ({ path }) => ({ ...result, place: path }) })
    expect(await new WorkerCalls(records, bus).call('project.inspect', args)).toEqual(result)
  })

  it('throws the error of a worker, with its hint', async () => {
    const error = new SwitchyardError('file_not_found', 'nothing there', { hint: 'Look elsewhere.' })
    await startWorker({
      'project.inspect': async () => {
        throw error
      },
    })
    await expect(new WorkerCalls(records, bus).call('project.inspect', args)).rejects.toMatchObject({
      code: 'file_not_found',
      message: 'nothing there',
      hint: 'Look elsewhere.',
      retryable: false,
    })
  })

  it('throws a retryable worker_unavailable when no worker starts the call', async () => {
    await expect(new WorkerCalls(records, bus, 300).call('project.inspect', args)).rejects.toMatchObject({
      code: 'worker_unavailable',
      retryable: true,
    })
  })

  it('throws call_timeout when the answer takes too long', async () => {
    const answered = Promise.withResolvers<typeof result>()
    await startWorker({ 'project.inspect': () => answered.promise })
    const calling = new WorkerCalls(records, bus).call('project.inspect', args, { waitMs: 300 })
    await expect(calling).rejects.toMatchObject({ code: 'call_timeout', retryable: true })
    answered.resolve(result)
  })

  it('ends with the reason of its signal', async () => {
    const aborted = new AbortController()
    const calling = new WorkerCalls(records, bus).call('project.inspect', args, { signal: aborted.signal })
    aborted.abort(new Error('the caller hung up'))
    await expect(calling).rejects.toThrow('the caller hung up')
  })

  it('reports not_supported for a call that the worker has no handler for', async () => {
    await startWorker({})
    await expect(new WorkerCalls(records, bus).call('project.inspect', args)).rejects.toMatchObject({
      code: 'not_supported',
    })
  })

  it('is answered by the next worker when the first one stops', async () => {
    const started = Promise.withResolvers<void>()
    const first = await startWorker({
      'project.inspect': (_args, signal) => {
        started.resolve()
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        })
      },
    })
    const calling = new WorkerCalls(records, bus).call('project.inspect', args)
    await started.promise
    await first.stop()
    await records.db.deleteFrom('workers').execute()
    await startWorker({ 'project.inspect': async () => result })
    expect(await calling).toEqual(result)
  })
})

describe('TaskWorkspaces', () => {
  const entry = { name: 'a.txt', path: 'a.txt', type: 'file' as const, size: 1 }
  const found = { diff: '+a', files: [], truncated: false }
  const workspaces = () => new TaskWorkspaces(records, new WorkerCalls(records, bus, 300))
  const reread = async (id: TaskId): Promise<TaskRow> => {
    const row = await findTaskRow(records.db, id)
    if (!row) throw new Error(`no task ${id}`)
    return row
  }
  const remove = async (id: TaskId): Promise<TaskRow> => {
    await records.db.updateTable('tasks').set({ workspace_removed_at: new Date() }).where('id', '=', id).execute()
    return await reread(id)
  }

  it('reads entries, contents and the diff through a worker', async () => {
    const row = await newTask({ directory: '/workspaces/tasks/x', base_commit: 'c' })
    const file = { path: 'a.txt', content: 'a', encoding: 'utf-8' as const, size: 1, truncated: false }
    await startWorker({
      'task.files': async ({ path }) => ({ path: `asked for ${path}`, entries: [entry], truncated: false }),
      'task.file': async ({ offset, limit }) => ({ ...file, content: `${offset} ${limit}` }),
      'task.diff': async ({ task_id }) => ({ task_id, ...found }),
    })
    expect(await workspaces().listFiles(row, 'src')).toEqual({
      task_id: row.id,
      path: 'src',
      entries: [entry],
      truncated: false,
    })
    expect(await workspaces().readFile(row, 'a.txt', { offset: 1 })).toMatchObject({ content: '1 undefined' })
    expect(await workspaces().readDiff(row)).toEqual({ task_id: row.id, ...found })
  })

  it('reports worker_unavailable for a live directory when no worker runs', async () => {
    const row = await newTask({ directory: '/workspaces/tasks/x', base_commit: 'c' })
    await expect(workspaces().listFiles(row, '')).rejects.toMatchObject({ code: 'worker_unavailable', retryable: true })
  })

  it('reports without any worker that the directory does not exist yet', async () => {
    const row = await newTask()
    for (const read of [
      workspaces().listFiles(row, ''),
      workspaces().readFile(row, 'a', {}),
      workspaces().readDiff(row),
    ])
      await expect(read).rejects.toMatchObject({ code: 'workspace_unavailable', retryable: true })
  })

  it('reports without any worker that the task ended before it had a directory', async () => {
    const { id } = await newTask()
    await advance(records.db, {
      taskId: id,
      generation: null,
      to: 'cancelled',
      set: { completed_at: new Date() },
      events: [],
    })
    await expect(workspaces().readDiff(await reread(id))).rejects.toMatchObject({
      code: 'workspace_unavailable',
      retryable: false,
    })
  })

  it('returns the stored diff without any worker after the directory was removed', async () => {
    const { id } = await newTask({ directory: '/workspaces/tasks/x', base_commit: 'c' })
    await storeDiff(records.db, id, found)
    const row = await remove(id)
    expect(await workspaces().readDiff(row)).toEqual({ task_id: id, ...found })
    await expect(workspaces().listFiles(row, '')).rejects.toMatchObject({ code: 'workspace_gone' })
  })

  it('reports workspace_gone where no diff was stored', async () => {
    const { id } = await newTask({ directory: '/workspaces/tasks/x' })
    await expect(workspaces().readDiff(await remove(id))).rejects.toMatchObject({ code: 'workspace_gone' })
  })
})
