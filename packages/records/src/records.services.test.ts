import { readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type NewEvent,
  newMessageId,
  newTaskId,
  newWorkerId,
  type QueueName,
  type TaskId,
  type WorkerId,
} from '@switchyard/contracts'
import { createDatabase, ordinaryTask, type TestDatabase } from '@switchyard/testing'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type AcceptInput,
  acceptTask,
  admitTask,
  advance,
  findTask,
  findUnowned,
  listTasks,
  ownerServerId,
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
  records = new Records({ connectionString: database.url, applicationName: 'test', max: 20 })
  await records.migrate()
})

afterAll(async () => {
  await records.close()
  await database.drop()
})

const input = (over: Partial<AcceptInput> = {}): AcceptInput => ({
  ...ordinaryTask(),
  id: newTaskId(),
  mode_reason: 'rollout',
  pool: 'blue',
  ...over,
})

const accept = async (over: Partial<AcceptInput> = {}) => (await acceptTask(records.db, input(over))).row

const aliveWorker = async () => {
  const id = newWorkerId()
  await reportWorker(records.db, { id, hostname: 'test', concurrency: 1, queueNames: ['blue'] })
  return id
}

/** Admits just this one, whatever else waits. */
const take = async (id: TaskId, worker: WorkerId) => {
  await sql`UPDATE tasks SET status = 'preparing' WHERE id = ${id} AND status = 'queued'`.execute(records.db)
  return await takeTask(records.db, id, worker, { opencode: 'server' })
}

const progress = (n: number, source_key?: string): NewEvent => ({
  type: 'task_progress',
  message: `step ${n}`,
  data: { n },
  ...(source_key ? { source_key } : {}),
})

describe('accepting', () => {
  it('makes one task of fifty parallel calls with one key', async () => {
    const calls = Array.from({ length: 50 }, () => acceptTask(records.db, input({ idempotency_key: 'one' })))
    const accepted = await Promise.all(calls)
    expect(new Set(accepted.map(({ row }) => row.id)).size).toBe(1)
    expect(accepted.filter(({ created }) => created)).toHaveLength(1)
  })

  it('stores what Postgres cannot hold by leaving out just that', async () => {
    const row = await accept({ description: 'a\u0000b', metadata: { 'k\u0000': ['x\u0000', 'half \ud83d'] } })
    expect(row.description).toBe('ab')
    expect(row.metadata).toEqual({ k: ['x', 'half \ufffd'] })
  })
})

describe('advancing', () => {
  it('numbers the events of many writers from 1 without gaps', async () => {
    const { id } = await accept()
    const writers = Array.from({ length: 40 }, (_, n) =>
      advance(records.db, { taskId: id, generation: null, events: [progress(n), progress(n + 100)] }),
    )
    await Promise.all(writers)
    const events = await readEvents(records.db, id, { after: 0, limit: 1_000 })
    expect(events.map((event) => event.seq)).toEqual(Array.from({ length: 81 }, (_, index) => index + 1))
    expect((await findTask(records.db, id))?.last_seq).toBe(81)
  })

  it('writes a repeated event once, also when two writers send it at the same time', async () => {
    const { id } = await accept()
    const tellings = Array.from({ length: 30 }, (_, n) =>
      advance(records.db, { taskId: id, generation: null, events: [progress(n % 10, `part:${n % 10}`)] }),
    )
    await Promise.all(tellings)
    const events = await readEvents(records.db, id, { after: 1, limit: 1_000 })
    expect(events.map((event) => event.data.n).toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('refuses the writes of a stale generation, whole', async () => {
    const { id } = await accept()
    const first = await aliveWorker()
    const taken = await take(id, first)
    await removeWorker(records.db, first)
    await take(id, await aliveWorker())
    const late = { taskId: id, generation: taken?.generation ?? 0, to: 'running' as const, events: [progress(1)] }
    expect(await advance(records.db, late)).toBeNull()
    expect((await findTask(records.db, id))?.last_seq).toBe(1)
  })

  it('never changes a task that has ended', async () => {
    const { id } = await accept()
    await advance(records.db, { taskId: id, generation: null, to: 'cancelled', set: { completed_at: new Date() } })
    expect(await advance(records.db, { taskId: id, generation: null, events: [progress(1)] })).toBeNull()
    expect(await advance(records.db, { taskId: id, generation: null, to: 'completed' })).toBeNull()
    expect(await sendMessage(records.db, newMessageId(), id, 'me', { message: 'too late' })).toBeNull()
  })

  it('does not end a task over a message that came in meanwhile', async () => {
    const { id } = await accept()
    const taken = await take(id, await aliveWorker())
    const run = { taskId: id, generation: taken?.generation ?? 0 }
    await advance(records.db, { ...run, to: 'running' })
    await sendMessage(records.db, newMessageId(), id, 'me', { message: 'one more thing' })
    expect(await advance(records.db, { ...run, to: 'completed', messagesSent: 0 })).toBeNull()
    expect((await advance(records.db, { ...run, to: 'completed', messagesSent: 1 }))?.task.status).toBe('completed')
  })

  it.each([
    ['that was taken back', { pause_requested_at: null }],
    ['that was overtaken by a cancel', { cancel_requested_at: new Date() }],
  ])('does not bring a pause into force %s', async (_, set) => {
    const { id } = await accept()
    const taken = await take(id, await aliveWorker())
    const pause = { taskId: id, generation: taken?.generation ?? 0, to: 'paused', whilePauseAsked: true } as const
    await advance(records.db, { taskId: id, generation: null, set: { pause_requested_at: new Date(), ...set } })
    expect(await advance(records.db, pause)).toBeNull()
    await advance(records.db, {
      taskId: id,
      generation: null,
      set: { pause_requested_at: new Date(), cancel_requested_at: null },
    })
    expect((await advance(records.db, pause))?.task.status).toBe('paused')
  })
})

describe('owning', () => {
  it('gives a task to one of many workers that ask at once', async () => {
    const { id } = await accept()
    const workers = await Promise.all(Array.from({ length: 10 }, aliveWorker))
    const taken = await Promise.all(workers.map((worker) => take(id, worker)))
    expect(taken.filter((row) => row !== null)).toHaveLength(1)
  })

  it('lets others take over once the owner is silent', async () => {
    const { id } = await accept()
    const owner = await aliveWorker()
    await take(id, owner)
    const other = await aliveWorker()
    expect(await take(id, other)).toBeNull()
    await sql`UPDATE workers SET heartbeat_at = now() - interval '6 seconds' WHERE id = ${owner}`.execute(records.db)
    expect(await take(id, other)).toMatchObject({ generation: 2, attempt: 2, worker_id: other })
  })

  it('finds what nobody works on', async () => {
    const { id } = await accept()
    const ids = async () => (await findUnowned(records.db, ['queued', 'preparing'], -1_000, 500)).map((task) => task.id)
    expect(await ids()).toContain(id)
    const taken = await take(id, await aliveWorker())
    expect(await ids()).not.toContain(id)
    await releaseTask(records.db, id, taken?.generation ?? 0)
    expect(await ids()).toContain(id)
  })
})

describe('admitting', () => {
  const NONE = { total: 0, perServer: 0, perProject: 0, perAgent: 0 }
  let fresh: TestDatabase
  let own: Records

  beforeEach(async () => {
    fresh = await createDatabase()
    own = new Records({ connectionString: fresh.url, applicationName: 'test', max: 20 })
    await own.migrate()
  })

  afterEach(async () => {
    await own.close()
    await fresh.drop()
  })

  const queue = async (over: Partial<AcceptInput>) => (await acceptTask(own.db, input(over))).row.id
  const admit = async (limits: Partial<typeof NONE> = {}, server = 'one', queueName: QueueName = 'blue') => {
    const admission = await admitTask(
      own.db,
      newWorkerId(),
      { opencode: server, docker: server },
      { ...NONE, ...limits },
      queueName,
    )
    return admission.kind === 'taken' ? admission.row.id : admission.kind
  }

  it.each([
    ["on the key's server when the worker can start it", true, 'owner:one'],
    ['on the shared server when the worker cannot', false, 'shared'],
  ])('admits a task of a key with its own server %s', async (_, ownerServers, server) => {
    await queue({ server_id: ownerServerId('one') })
    const hosts = { opencode: 'shared', ownerServers }
    const admission = await admitTask(own.db, newWorkerId(), hosts, NONE, 'blue')
    expect(admission).toMatchObject({ kind: 'taken', row: { server_id: server } })
  })

  it("counts the tasks of a key's server by themselves against the limit per server", async () => {
    const shared = await queue({})
    const first = await queue({ server_id: ownerServerId('one'), agent_id: 'a' })
    await queue({ server_id: ownerServerId('one'), agent_id: 'b' })
    const admitNext = async () => {
      const hosts = { opencode: 'shared', ownerServers: true }
      const admission = await admitTask(own.db, newWorkerId(), hosts, { ...NONE, perServer: 1 }, 'blue')
      return admission.kind === 'taken' ? admission.row.id : admission.kind
    }
    expect([await admitNext(), await admitNext(), await admitNext()].sort()).toEqual([shared, first, 'held'].sort())
  })

  it('does not let a burst of one agent starve another', async () => {
    const burst = []
    for (let n = 0; n < 5; n++) burst.push(await queue({ agent_id: 'loud' }))
    const quiet = await queue({ agent_id: 'quiet' })
    expect([await admit(), await admit(), await admit()]).toEqual([burst[0], quiet, burst[1]])
  })

  it('takes the higher priority of one agent first, then the older', async () => {
    const late = await queue({ priority: 9 })
    const first = await queue({ priority: 5 })
    const second = await queue({ priority: 5 })
    expect([await admit(), await admit(), await admit(), await admit()]).toEqual([first, second, late, 'none'])
  })

  it.each([
    ['in all', { total: 3 }, {}],
    ['per server', { perServer: 3 }, {}],
    ['per agent', { perAgent: 3 }, {}],
    ['per project', { perProject: 3 }, { project_id: 'proj_1', project: { id: 'proj_1', key: 'k', url: 'u' } }],
  ])('never goes over a limit %s, however many ask at once', async (_, limit, over) => {
    for (let n = 0; n < 8; n++) await queue(over)
    const admitted = await Promise.all(Array.from({ length: 8 }, () => admit(limit)))
    expect(admitted.filter((id) => id !== 'held')).toHaveLength(3)
  })

  it('takes tasks of its own queue only', async () => {
    const green = await queue({ pool: 'green' })
    const docker = await queue({ mode: 'docker', pool: null })
    expect(await admit()).toBe('none')
    expect(await admit({}, 'one', 'docker')).toBe(docker)
    expect(await admit({}, 'one', 'green')).toBe(green)
  })

  it('gives the first pool what a version of before accepted, which knew of none', async () => {
    await sql`
      INSERT INTO tasks (id, agent_id, owner_key, status, mode, description, request_hash, permissions, priority, timeout_ms, deadline)
      VALUES ('task_old', 'agent', 'local', 'queued', 'opencode', 'do it', 'hash', 'allow', 5, 60000, now() + interval '1 hour')`.execute(
      own.db,
    )
    expect(await admit({}, 'one', 'green')).toBe('none')
    expect(await admit()).toBe('task_old')
  })

  it('counts another server by itself', async () => {
    await queue({})
    await queue({})
    expect(await admit({ perServer: 1 })).toMatch(/^task_/)
    expect(await admit({ perServer: 1 })).toBe('held')
    expect(await admit({ perServer: 1 }, 'two')).toMatch(/^task_/)
  })
})

describe('listing', () => {
  it('pages through all tasks of a filter once, those that wait for an answer first', async () => {
    const agent_id = 'lister'
    const made = []
    for (let n = 0; n < 7; n++) made.push(await accept({ agent_id, description: `100% of ${n}` }))
    const waiting = made[2]?.id
    if (!waiting) throw new Error('no task')
    const taken = await take(waiting, await aliveWorker())
    await advance(records.db, { taskId: waiting, generation: taken?.generation ?? 0, to: 'running' })
    await advance(records.db, { taskId: waiting, generation: taken?.generation ?? 0, to: 'input_required' })
    const seen = []
    let after = null
    do {
      const page = await listTasks(records.db, { agent_id, q: '100% OF' }, { limit: 3, after, waitingFirst: true })
      seen.push(...page.tasks.map((task) => task.task_id))
      after = page.next
    } while (after)
    expect(seen[0]).toBe(waiting)
    expect(seen.toSorted()).toEqual(made.map((row) => row.id).toSorted())
    const none = await listTasks(records.db, { agent_id, q: '1_0%' }, { limit: 3, after: null, waitingFirst: false })
    expect(none.tasks).toHaveLength(0)
  })
})

describe('the connection', () => {
  it('says soon that the database does not answer', async () => {
    const away = new Records({ connectionString: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test' })
    await expect(away.ping()).rejects.toMatchObject({ code: 'database_unavailable', retryable: true })
    await away.close()
  })

  it('lets one at a time hold a lock, and frees it with its holder', async () => {
    let inside = 0
    let most = 0
    const work = async () => {
      inside++
      most = Math.max(most, inside)
      await sql`SELECT pg_sleep(0.01)`.execute(records.db)
      inside--
    }
    await Promise.all(Array.from({ length: 8 }, () => records.withLock('key', work)))
    await expect(records.withLock('key', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    await records.withLock('key', work)
    expect(most).toBe(1)
  })

  it('waits for a lock longer than any statement may take', async () => {
    const hurried = new Records({
      connectionString: database.url,
      applicationName: 'test',
      // The client's own limit is 2 s more.
      statementTimeoutMs: 200,
    })
    const waiting: Promise<unknown>[] = []
    await records.withLock('long', async () => {
      waiting.push(hurried.withLock('long', async () => 'at last').catch((error: unknown) => error))
      await delay(3_000)
    })
    expect(await Promise.all(waiting)).toEqual(['at last'])
    await hurried.close()
  })

  it('passes by a lock that another holds, where it need not be waited for', async () => {
    let done = 0
    const count = async () => {
      done += 1
    }
    await records.withLock('once', async () => {
      expect(await records.withFreeLock('once', count)).toBe(false)
    })
    expect(await records.withFreeLock('once', count)).toBe(true)
    await expect(records.withFreeLock('once', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await records.withFreeLock('once', count)).toBe(true)
    expect(done).toBe(2)
  })

  it('migrates once with concurrent callers, and runs on a schema that is newer than itself', async () => {
    const fresh = await createDatabase({ isEmpty: true })
    const two = [1, 2].map(() => new Records({ connectionString: fresh.url, applicationName: 'test' }))
    const ran = await Promise.all(two.map((one) => one.migrate()))
    const steps = await readdir(new URL('./migrations/', import.meta.url))
    expect(ran.flat()).toEqual(steps.map((file) => file.replace('.ts', '')).sort())
    const [one] = two
    if (!one) throw new Error('no connection')
    await sql`INSERT INTO kysely_migration (name, timestamp) VALUES ('9999-later', now()::text)`.execute(one.db)
    expect(await one.migrate()).toEqual([])
    await Promise.all(two.map((each) => each.close()))
    await fresh.drop()
  })
})
