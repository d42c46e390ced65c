import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newWorkerId } from '@switchyard/contracts'
import { newMessageId, type OpenCodeServer } from '@switchyard/opencode'
import {
  configureServer,
  findProjectServer,
  projectServerId,
  Records,
  registerProject,
  removeWorker,
  reportWorker,
  requestOfServer,
  updateProject,
} from '@switchyard/records'
import { createDatabase, opencodeConfig, type ScriptedModel, script, startScriptedModel } from '@switchyard/testing'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { stopProject } from '../projects/stop.ts'
import { childMaker } from './child-server-factory.ts'
import { ServerPool } from './server-pool.ts'

// Each test starts a server or two, which takes seconds of a processor that others use too.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

const MEBIBYTE = 1_048_576
const PATIENCE = { timeout: 60_000 }

describe('the servers of projects, as workers keep them', () => {
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

  /** A worker as far as servers are concerned. */
  const startPool = async (): Promise<ServerPool> => {
    const workerId = newWorkerId()
    const report = () => reportWorker(records.db, { id: workerId, hostname: 'test', concurrency: 1, queueNames: [] })
    await report()
    const beat = setInterval(() => void report().catch(() => {}), 1_000)
    const pool = new ServerPool({
      workerId,
      records,
      shared: null,
      listen: () => () => {},
      maker: childMaker({
        root: path.join(root, 'servers'),
        env: {
          PATH: process.env.PATH ?? '',
          HOME: root,
          OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig(model.url)),
          OPENCODE_DISABLE_MODELS_FETCH: '1',
        },
        guard: () => () => {},
        logger,
      }),
      settings: { memoryLimit: 4_096 * MEBIBYTE, idleMs: 600_000, drainMs: 600_000 },
      calls: { healthCheckIntervalMs: 500, maxRetries: 3, retryDelayMs: 100 },
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
    return { id, directory, server: projectServerId(id) }
  }

  const told = (id: string) => findProjectServer(records.db, id)

  /** What its keeper has done until now was done with what stands in the record now. */
  const looks = async (id: string): Promise<void> => {
    const before = (await told(id))?.updated_at.getTime() ?? 0
    // The first of them may have begun before.
    let seen = before
    for (let look = 0; look < 2; look += 1) {
      await expect.poll(async () => (await told(id))?.updated_at.getTime(), PATIENCE).toBeGreaterThan(seen)
      seen = (await told(id))?.updated_at.getTime() ?? seen
    }
  }

  /** A turn that goes on until it is ended. */
  const work = async ({ client }: OpenCodeServer, directory: string, name: string) => {
    const { id: sessionId } = await client.createSession({ directory, title: name })
    const messageId = newMessageId()
    await client.promptAsync({ sessionId, directory, messageId, text: script([{ hold: name }, { say: 'done' }]) })
    return sessionId
  }

  const drain = async (id: string): Promise<void> => {
    await configureServer(records.db, id, { memory_limit: 64 * MEBIBYTE })
    await expect.poll(async () => (await told(id))?.state, PATIENCE).toBe('draining')
  }

  it('let what goes on there reach one that is drained, from other workers too, and say in time why nothing else does', async () => {
    const [keeper, other] = [await startPool(), await startPool()]
    const project = await startProject()
    const use = await keeper.use(project.server)
    await drain(project.id)
    for (const pool of [keeper, other]) {
      const goesOn = await pool.use(project.server, { goesOn: () => true, withinMs: 60_000 })
      expect(goesOn.server.state().url).toBe(use.server.state().url)
      goesOn.release()
      await expect(pool.use(project.server, { withinMs: 100 })).rejects.toMatchObject({
        code: 'opencode_unavailable',
        retryable: true,
        message: expect.stringMatching(/server is draining: it holds \d+ MiB of 64/),
      })
    }
    use.release()
  })

  it('are replaced once past their limit, when nobody holds them, and not again and again where even a new one is past it', async () => {
    const pool = await startPool()
    const project = await startProject()
    const use = await pool.use(project.server)
    const { pid } = use.server.state()
    await drain(project.id)
    await looks(project.id)
    expect(use.server.state().pid).toBe(pid)
    use.release()
    await expect
      .poll(async () => (await told(project.id))?.detail, PATIENCE)
      .toMatch(/^it holds \d+ MiB of 64 although it was just replaced: the limit is below what it needs$/)
    await looks(project.id)
    expect(await told(project.id)).toMatchObject({ state: 'up', restarts: 1 })
    await configureServer(records.db, project.id, { memory_limit: null })
    await expect.poll(async () => (await told(project.id))?.detail, PATIENCE).toBeNull()
  })

  it('are stopped once those who hold them let go, if that was asked for, and go on where something new began before', async () => {
    const [keeper, other] = [await startPool(), await startPool()]
    for (const pool of [keeper, other]) {
      const project = await startProject()
      const use = await keeper.use(project.server)
      await requestOfServer(records.db, project.id, 'stop')
      await looks(project.id)
      const next = await pool.use(project.server)
      await expect.poll(async () => (await told(project.id))?.request, PATIENCE).toBeNull()
      use.release()
      next.release()
      await looks(project.id)
      expect((await told(project.id))?.state).toBe('up')
      const last = await keeper.use(project.server)
      await requestOfServer(records.db, project.id, 'stop')
      await looks(project.id)
      expect(await told(project.id)).toMatchObject({ state: 'up', request: 'stop' })
      last.release()
      await expect.poll(async () => (await told(project.id))?.state, PATIENCE).toBe('stopped')
    }
  })

  it('are stopped with their project by a worker that does not keep them: turns end first', async () => {
    const [keeper, other] = [await startPool(), await startPool()]
    const project = await startProject()
    const use = await keeper.use(project.server)
    const session = await work(use.server, project.directory, 'stop')
    await expect.poll(() => use.server.busy().map(({ sessionId }) => sessionId)).toContain(session)
    use.release()
    await stopProject({ records, servers: other }, project.id, AbortSignal.timeout(60_000))
    await expect.poll(async () => (await told(project.id))?.state, PATIENCE).toBe('stopped')
    // Nothing is there to be stopped, and nothing is started for it.
    await stopProject({ records, servers: other }, project.id, AbortSignal.timeout(60_000))
    expect((await told(project.id))?.state).toBe('stopped')
  })
})
