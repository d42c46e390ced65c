// Random interleavings of everything that can happen to a task, on the real database, against a model in memory: one
// owner at a time, nothing from a stale one, no change after the end, numbers without gaps.

import {
  canMove,
  isTerminal,
  newMessageId,
  newWorkerId,
  type Status,
  type TaskId,
  type WorkerId,
} from '@switchyard/contracts'
import { createDatabase, ordinaryTask, type TestDatabase } from '@switchyard/testing'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  acceptTask,
  admitTask,
  advance,
  findTaskRow,
  Records,
  readEvents,
  releaseTask,
  removeWorker,
  reportWorker,
  sendMessage,
  takeTask,
} from './index.ts'

let database: TestDatabase
let records: Records

beforeAll(async () => {
  database = await createDatabase()
  records = new Records({ connectionString: database.url, applicationName: 'test' })
  await records.migrate()
})

afterAll(async () => {
  await records.close()
  await database.drop()
})

/** A worker's hold on the task: the generation that it writes with, until it learns that it is stale. */
type Hold = { readonly worker: WorkerId; readonly generation: number }

type Model = {
  status: Status
  generation: number
  owner: WorkerId | null
  readonly dead: Set<WorkerId>
  /** Every hold there ever was, stale ones included: a worker that was stopped may wake up at any time. */
  readonly holds: Hold[]
  events: number
  messages: number
}

type System = { readonly id: TaskId }
type Command = fc.AsyncCommand<Model, System>

const NO_LIMITS = { total: 0, perServer: 0, perProject: 0, perAgent: 0 }
const MOVES: readonly Status[] = [
  'queued',
  'running',
  'input_required',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'timeout',
]

const isOwned = (model: Model): boolean => model.owner !== null && !model.dead.has(model.owner)

const newOwner = async (): Promise<WorkerId> => {
  const id = newWorkerId()
  await reportWorker(records.db, { id, hostname: 'test', concurrency: 1, queueNames: ['blue'] })
  return id
}

const hold = (model: Model, worker: WorkerId): void => {
  model.generation += 1
  model.owner = worker
  model.holds.push({ worker, generation: model.generation })
}

/** A worker is offered the task: by its job, or as the one whose turn it is. */
const take = (): Command => ({
  check: () => true,
  toString: () => 'take',
  run: async (model, { id }) => {
    const worker = await newOwner()
    const admission = await admitTask(records.db, worker, { opencode: 'server' }, NO_LIMITS, 'blue')
    expect(admission.kind).toBe(model.status === 'queued' ? 'taken' : 'none')
    if (admission.kind === 'taken') {
      hold(model, worker)
      model.status = 'preparing'
      return
    }
    const taken = await takeTask(records.db, id, worker, { opencode: 'server' })
    const mayTake = ['preparing', 'running', 'input_required'].includes(model.status) && !isOwned(model)
    expect(taken !== null).toBe(mayTake)
    if (taken) hold(model, worker)
  },
})

/** The owner is silent for longer than it may be. It does not know. */
const goSilent = (): Command => ({
  check: (model) => isOwned(model),
  toString: () => 'go silent',
  run: async (model) => {
    if (model.owner === null) return
    await sql`UPDATE workers SET heartbeat_at = now() - interval '1 minute' WHERE id = ${model.owner}`.execute(
      records.db,
    )
    model.dead.add(model.owner)
  },
})

const handOver = (): Command => ({
  check: (model) => isOwned(model),
  toString: () => 'hand over',
  run: async (model, { id }) => {
    if (model.owner === null) return
    expect(await releaseTask(records.db, id, model.generation)).toBe(true)
    await removeWorker(records.db, model.owner)
    model.owner = null
  },
})

/** Any worker that ever held the task writes: changes its status, or only adds an event. */
const write = (which: number, to: Status | null): Command => ({
  check: (model) => model.holds.length > 0,
  toString: () => `hold ${which} writes${to ? ` ${to}` : ''}`,
  run: async (model, { id }) => {
    const by = model.holds[which % model.holds.length]
    if (!by) return
    const written = await advance(records.db, {
      taskId: id,
      generation: by.generation,
      ...(to ? { to } : {}),
      ...(to && isTerminal(to) ? { set: { completed_at: new Date() } } : {}),
      events: [{ type: 'task_progress', message: 'x', data: {}, source_key: `e:${model.events}` }],
    })
    const allowed = by.generation === model.generation && (to ? canMove(model.status, to) : !isTerminal(model.status))
    expect(written !== null).toBe(allowed)
    if (!allowed) return
    model.events += 1
    if (to) model.status = to
  },
})

const callerSays = (what: 'message' | 'cancel' | 'resume'): Command => ({
  check: () => true,
  toString: () => what,
  run: async (model, { id }) => {
    if (what === 'message') {
      const sent = await sendMessage(records.db, newMessageId(), id, 'caller', { message: 'm' })
      expect(sent !== null).toBe(!isTerminal(model.status))
      if (!sent) return
      model.events += 1
      model.messages += 1
      return
    }
    const from: readonly Status[] = what === 'cancel' ? ['queued', 'paused'] : ['paused']
    const to: Status = what === 'cancel' ? 'cancelled' : 'queued'
    const set = what === 'cancel' ? { completed_at: new Date() } : {}
    const written = await advance(records.db, { taskId: id, generation: null, from, to, set })
    expect(written !== null).toBe(from.includes(model.status))
    if (written) model.status = to
  },
})

const endsOverMessages = (delivered: number): Command => ({
  check: (model) => isOwned(model),
  toString: () => `complete with ${delivered} delivered`,
  run: async (model, { id }) => {
    const written = await advance(records.db, {
      taskId: id,
      generation: model.generation,
      to: 'completed',
      messagesSent: delivered,
      set: { completed_at: new Date() },
    })
    const allowed = canMove(model.status, 'completed') && delivered === model.messages
    expect(written !== null).toBe(allowed)
    if (allowed) model.status = 'completed'
  },
})

const command = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null).map(take) },
  { weight: 2, arbitrary: fc.constant(null).map(goSilent) },
  { weight: 1, arbitrary: fc.constant(null).map(handOver) },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.nat(5), fc.option(fc.constantFrom(...MOVES))).map(([which, to]) => write(which, to)),
  },
  { weight: 3, arbitrary: fc.constantFrom('message', 'cancel', 'resume').map((what) => callerSays(what)) },
  { weight: 1, arbitrary: fc.nat(3).map(endsOverMessages) },
)

it('keeps one owner, one history and one end, whatever happens in whatever order', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands([command], { maxCommands: 40, size: '+1' }), async (commands) => {
      // Alone in the table: whose turn it is does not depend on what another run left.
      await sql`DELETE FROM tasks`.execute(records.db)
      const { row } = await acceptTask(records.db, {
        ...ordinaryTask(),
        id: `task_${newMessageId().slice(4)}`,
        pool: 'blue',
        timeout_ms: 3_600_000,
      })
      const model: Model = {
        status: 'queued',
        generation: 0,
        owner: null,
        dead: new Set(),
        holds: [],
        events: 1,
        messages: 0,
      }
      await fc.asyncModelRun(() => ({ model, real: { id: row.id } }), commands)
      const found = await findTaskRow(records.db, row.id)
      const events = await readEvents(records.db, row.id, { after: 0, limit: 1_000 })
      expect(found).toMatchObject({ status: model.status, generation: model.generation, last_seq: model.events })
      expect(events.map((event) => event.seq)).toEqual(Array.from({ length: model.events }, (_, index) => index + 1))
    }),
    { numRuns: 60 },
  )
})
