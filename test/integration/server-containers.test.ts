// Project servers in containers, with the real image on the real engine: they outlive their worker,
// and other workers use them.

import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newWorkerId, type WorkerId } from '@switchyard/contracts'
import { connectEngine, ServerContainers } from '@switchyard/docker'
import {
  configureServer,
  dedicatedServerId,
  listProjectServers,
  noteProject,
  Records,
  removeWorker,
  reportWorker,
} from '@switchyard/records'
import { createDatabase } from '@switchyard/testing'
import { containerServerFactory, ServerPool } from '@switchyard/worker'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { docker } from '../compose/docker.ts'
import { IMAGE, whyNoContainers } from './docker-system.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

const missing = await whyNoContainers()
const STACK = randomBytes(6).toString('hex')
const NETWORK = `switchyard-test-${STACK}`
const PROJECT = `proj_${randomBytes(13).toString('hex').toUpperCase()}`
const ID = dedicatedServerId(PROJECT)
const MEBIBYTE = 1_048_576

describe(`servers of projects in containers${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const logger = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })
  const closing: (() => Promise<unknown>)[] = []
  let root: string
  let records: Records
  let containers: ServerContainers

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (missing) return
    root = await mkdtemp(path.join(tmpdir(), 'switchyard-test-servers-'))
    closing.push(() => rm(root, { recursive: true, force: true }))
    const workspacesDir = path.join(root, 'workspaces')
    await mkdir(workspacesDir)
    await chmod(root, 0o755)
    await chmod(workspacesDir, 0o777)
    await docker(['network', 'create', NETWORK])
    closing.push(() => docker(['network', 'rm', NETWORK]))
    const database = await createDatabase()
    closing.push(database.drop)
    records = new Records({ connectionString: database.url, applicationName: 'test' })
    closing.push(() => records.close())
    await records.migrate()
    await noteProject(records.db, { id: PROJECT, key: 'example.invalid/o/r', url: 'https://example.invalid/o/r' })
    containers = new ServerContainers(connectEngine('unix:///var/run/docker.sock'), {
      stack: STACK,
      image: IMAGE,
      cpus: 1,
      memoryBytes: 1_024 * MEBIBYTE,
      pids: 512,
      user: '1000:1000',
      environment: { OPENCODE_DISABLE_MODELS_FETCH: '1' },
      network: NETWORK,
      proxy: undefined,
      workspacesDir,
    })
    closing.push(async () => {
      const found = await containers.find(PROJECT)
      if (found) await containers.remove(found.id, 'kill')
      await containers.deleteData(PROJECT)
    })
  })

  afterAll(async () => {
    for (const step of closing.reverse()) await step()
  })

  /**
   * Starts the part of a worker that runs servers, with heartbeats for as long as the test runs.
   */
  const startPool = async () => {
    const workerId: WorkerId = newWorkerId()
    const report = () => reportWorker(records.db, { id: workerId, hostname: 'test', concurrency: 1, queueNames: [] })
    await report()
    const beat = setInterval(() => void report().catch(() => {}), 1_000)
    const pool = new ServerPool({
      workerId,
      records,
      shared: null,
      onServer: () => () => {},
      factory: containerServerFactory({ containers, root: path.join(root, 'servers'), logger }),
      limits: { memoryLimit: 800 * MEBIBYTE, idleMs: 600_000, drainMs: 60_000 },
      timings: { healthCheckIntervalMs: 500, maxRetries: 3, retryDelayMs: 100, outageMs: 90_000 },
      logger,
    })
    const end = async () => {
      clearInterval(beat)
      await pool.close()
      await removeWorker(records.db, workerId)
    }
    return { pool, workerId, end }
  }

  const told = async () => (await listProjectServers(records.db)).find((row) => row.project_id === PROJECT)

  it('are run by one worker, used by others, taken over by the next, restarted after a kill, and removed', async () => {
    const first = await startPool()
    const second = await startPool()
    const use = await first.pool.lease(ID)
    const directory = path.join(root, 'workspaces')
    const session = await use.server.client.createSession({ directory, title: 'kept' })
    await expect.poll(async () => (await told())?.memory_bytes ?? 0, { timeout: 30_000 }).toBeGreaterThan(50 * MEBIBYTE)
    const kept = await told()
    expect(kept).toMatchObject({ state: 'up', kind: 'container', worker_id: first.workerId, pid: null })
    // Its name is unique, and it requires the password.
    expect((await fetch(`${kept?.url}/global/health`)).status).toBe(401)

    const visit = await second.pool.lease(ID)
    expect((await visit.server.client.session({ sessionId: session.id, directory })).title).toBe('kept')
    expect((await told())?.worker_id).toBe(first.workerId)
    visit.release()
    use.release()

    // When its worker stops, the container keeps running and the next worker takes it over.
    await first.end()
    await expect.poll(async () => (await told())?.worker_id, { timeout: 60_000 }).toBe(second.workerId)
    await expect.poll(async () => (await told())?.state, { timeout: 30_000 }).toBe('up')
    expect((await told())?.container_id).toBe(kept?.container_id)

    await docker(['kill', kept?.container_id ?? ''])
    await expect.poll(async () => (await told())?.container_id, { timeout: 60_000 }).not.toBe(kept?.container_id)
    const again = await second.pool.lease(ID)
    expect((await again.server.client.session({ sessionId: session.id, directory })).title).toBe('kept')
    again.release()

    await configureServer(records.db, PROJECT, { idle_ms: 1_000 })
    await expect.poll(async () => (await told())?.state, { timeout: 60_000 }).not.toBe('up')
    await expect.poll(async () => await containers.find(PROJECT), { timeout: 60_000 }).toBeUndefined()
    await second.pool.remove(PROJECT)
    expect(await docker(['volume', 'ls', '--quiet'])).not.toContain(STACK)
    await second.end()
  })
})
