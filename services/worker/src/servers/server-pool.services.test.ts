import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newWorkerId } from '@switchyard/contracts'
import { newMessageId, type OpenCodeServer } from '@switchyard/opencode'
import {
  configureServer,
  dedicatedServerId,
  findProjectServer,
  Records,
  registerProject,
  removeWorker,
  reportWorker,
  requestOfServer,
  updateProject,
} from '@switchyard/records'
import {
  createConfigDirectory,
  createDatabase,
  OWN_MODELS_ONLY,
  opencodeConfig,
  type ScriptedModel,
  script,
  startScriptedModel,
} from '@switchyard/testing'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { stopProject } from '../projects/stop.ts'
import { childServerFactory } from './child-server-factory.ts'
import { ServerPool } from './server-pool.ts'

// Each test starts one or two servers, which takes seconds of CPU time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

const MEBIBYTE = 1_048_576
const PATIENCE = { timeout: 60_000 }

describe('ServerPool', () => {
  const logger = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })
  const closing: (() => Promise<unknown>)[] = []
  let pools: (() => Promise<void>)[] = []
  let root: string
  let records: Records
  let model: ScriptedModel
  let number = 0

  beforeAll(async () => {
    root = await realpath(await mkdtemp(path.join(tmpdir(), 'switchyard-test-servers-')))
    closing.push(() => rm(root, { recursive: true, force: true, maxRetries: 5 }))
    await createConfigDirectory(path.join(root, '.config'))
    const database = await createDatabase()
    closing.push(database.drop)
    records = new Records({ connectionString: database.url, applicationName: 'test' })
    closing.push(() => records.close())
    await records.migrate()
    model = await startScriptedModel()
    closing.push(model.close)
  })

  afterEach(async () => {
    for (const end of pools) await end()
    pools = []
  })

  afterAll(async () => {
    for (const step of closing.reverse()) await step()
  })

  /** Starts the part of a worker that runs servers. */
  const startPool = async (): Promise<ServerPool> => {
    const workerId = newWorkerId()
    const report = () => reportWorker(records.db, { id: workerId, hostname: 'test', concurrency: 1, queueNames: [] })
    await report()
    const beat = setInterval(() => void report().catch(() => {}), 1_000)
    const pool = new ServerPool({
      workerId,
      records,
      shared: null,
      onServer: () => () => {},
      factory: childServerFactory({
        sandbox: null,
        root: path.join(root, 'servers'),
        env: {
          PATH: process.env.PATH ?? '',
          HOME: root,
          OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig(model.url)),
          ...OWN_MODELS_ONLY,
        },
        guard: () => () => {},
        logger,
      }),
      limits: { memoryLimit: 4_096 * MEBIBYTE, idleMs: 600_000, drainMs: 600_000 },
      timings: { healthCheckIntervalMs: 500, maxRetries: 3, retryDelayMs: 100, outageMs: 90_000 },
      logger,
    })
    pools.push(async () => {
      clearInterval(beat)
      await pool.close()
      await removeWorker(records.db, workerId)
    })
    return pool
  }

  const startProject = async () => {
    number += 1
    const id = `proj_${number}`
    const directory = path.join(root, `r${number}`)
    await mkdir(directory)
    await registerProject(records.db, {
      id,
      key: directory,
      url: `file://${directory}`,
      owner_key: 'ops',
      name: id,
      base_dir: directory,
      is_managed: false,
      pool: 'blue',
    })
    await updateProject(records.db, id, { isolation: 'dedicated', status: 'ready' })
    return { id, directory, server: dedicatedServerId(id) }
  }

  const recorded = (id: string) => findProjectServer(records.db, id)

  /** Resolves when the worker has checked the server with what the record says now. */
  const untilChecked = async (id: string): Promise<void> => {
    const before = (await recorded(id))?.updated_at.getTime() ?? 0
    // The first check may have started before.
    let seen = before
    for (let check = 0; check < 2; check += 1) {
      await expect.poll(async () => (await recorded(id))?.updated_at.getTime(), PATIENCE).toBeGreaterThan(seen)
      seen = (await recorded(id))?.updated_at.getTime() ?? seen
    }
  }

  /** Starts a turn that runs until it is aborted. */
  const startTurn = async ({ client }: OpenCodeServer, directory: string, name: string) => {
    const { id: sessionId } = await client.createSession({ directory, title: name })
    const messageId = newMessageId()
    await client.promptAsync({ sessionId, directory, messageId, text: script([{ hold: name }, { say: 'done' }]) })
    return sessionId
  }

  const drain = async (id: string): Promise<void> => {
    await configureServer(records.db, id, { memory_limit: 64 * MEBIBYTE })
    await expect.poll(async () => (await recorded(id))?.state, PATIENCE).toBe('draining')
  }

  it('leases a draining server, from every worker, only to work that continues there, and reports the reason otherwise', async () => {
    const [owner, other] = [await startPool(), await startPool()]
    const project = await startProject()
    const lease = await owner.lease(project.server)
    await drain(project.id)
    for (const pool of [owner, other]) {
      const continued = await pool.lease(project.server, { continuesWork: () => true, withinMs: 60_000 })
      expect(continued.server.state().url).toBe(lease.server.state().url)
      continued.release()
      await expect(pool.lease(project.server, { withinMs: 100 })).rejects.toMatchObject({
        code: 'opencode_unavailable',
        retryable: true,
        message: expect.stringMatching(/server is draining: it uses \d+ MiB of 64 MiB/),
      })
    }
    lease.release()
  })

  it('restarts a server over its memory limit once its leases are released, and does not repeat that if the limit is too low', async () => {
    const pool = await startPool()
    const project = await startProject()
    const lease = await pool.lease(project.server)
    const { pid } = lease.server.state()
    await drain(project.id)
    await untilChecked(project.id)
    expect(lease.server.state().pid).toBe(pid)
    lease.release()
    await expect
      .poll(async () => (await recorded(project.id))?.detail, PATIENCE)
      .toMatch(/^it uses \d+ MiB of 64 MiB right after a restart: the limit is below what it needs$/)
    await untilChecked(project.id)
    expect(await recorded(project.id)).toMatchObject({ state: 'up', restarts: 1 })
    await configureServer(records.db, project.id, { memory_limit: null })
    await expect.poll(async () => (await recorded(project.id))?.detail, PATIENCE).toBeNull()
  })

  it('stops a server on request once its leases are released, unless new work has started since the request', async () => {
    const [owner, other] = [await startPool(), await startPool()]
    for (const pool of [owner, other]) {
      const project = await startProject()
      const lease = await owner.lease(project.server)
      await requestOfServer(records.db, project.id, 'stop')
      await untilChecked(project.id)
      const next = await pool.lease(project.server)
      await expect.poll(async () => (await recorded(project.id))?.request, PATIENCE).toBeNull()
      lease.release()
      next.release()
      await untilChecked(project.id)
      expect((await recorded(project.id))?.state).toBe('up')
      const last = await owner.lease(project.server)
      await requestOfServer(records.db, project.id, 'stop')
      await untilChecked(project.id)
      expect(await recorded(project.id)).toMatchObject({ state: 'up', request: 'stop' })
      last.release()
      await expect.poll(async () => (await recorded(project.id))?.state, PATIENCE).toBe('stopped')
    }
  })

  it('stops the server of a stopped project from another worker, after its turns have ended', async () => {
    const [owner, other] = [await startPool(), await startPool()]
    const project = await startProject()
    const lease = await owner.lease(project.server)
    const session = await startTurn(lease.server, project.directory, 'stop')
    await expect.poll(() => lease.server.busy().map(({ sessionId }) => sessionId)).toContain(session)
    lease.release()
    await stopProject({ records, servers: other }, project.id, AbortSignal.timeout(60_000))
    await expect.poll(async () => (await recorded(project.id))?.state, PATIENCE).toBe('stopped')
    // A second stop finds nothing to stop and does not start the server.
    await stopProject({ records, servers: other }, project.id, AbortSignal.timeout(60_000))
    expect((await recorded(project.id))?.state).toBe('stopped')
  })
})
