// One worker keeps a server at a time, whatever happens at once.

import { newWorkerId, type WorkerId } from '@switchyard/contracts'
import { createDatabase } from '@switchyard/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  beginStop,
  claimProjectServer,
  findLeftServers,
  portsOfOthers,
  releaseProjectServer,
  reportProjectServer,
  touchProjectServer,
} from './project-servers.ts'
import { noteProject } from './projects.ts'
import { Records } from './records.ts'
import { reportWorker } from './workers.ts'

const REPORT = {
  state: 'up',
  url: 'http://127.0.0.1:4100',
  last_health_at: new Date(),
  restarts: 0,
  live: [],
  inUse: false,
} as const

describe('servers that projects have for themselves', () => {
  let records: Records
  let drop: () => Promise<void>
  let number = 0

  beforeAll(async () => {
    const database = await createDatabase()
    drop = database.drop
    records = new Records({ connectionString: database.url, applicationName: 'test' })
    await records.migrate()
  })

  afterAll(async () => {
    await records?.close()
    await drop?.()
  })

  const project = async (): Promise<string> => {
    number += 1
    const id = `proj_${number}`
    await noteProject(records.db, {
      id,
      key: `example.invalid/o/r${number}`,
      url: `https://example.invalid/o/r${number}`,
    })
    await touchProjectServer(records.db, id)
    return id
  }

  const worker = async (): Promise<WorkerId> => {
    const id = newWorkerId()
    await reportWorker(records.db, { id, hostname: 'test', concurrency: 1, queueNames: [] })
    return id
  }

  const die = (id: WorkerId) =>
    sql`UPDATE workers SET heartbeat_at = now() - interval '1 minute' WHERE id = ${id}`.execute(records.db)

  it('are kept by one worker, of however many that ask at once, while it lives', async () => {
    const id = await project()
    const workers = await Promise.all([1, 2, 3, 4].map(worker))
    const claims = await Promise.all(workers.map((each) => claimProjectServer(records.db, id, each)))
    const [keeper, ...others] = claims.flatMap((row) => row?.worker_id ?? [])
    expect(others).toEqual([])
    expect((await touchProjectServer(records.db, id)).is_kept).toBe(true)
    await die(keeper as WorkerId)
    expect(await findLeftServers(records.db)).toContain(id)
    const next = await worker()
    expect(await claimProjectServer(records.db, id, next)).toMatchObject({ worker_id: next, state: 'starting' })
    expect(await reportProjectServer(records.db, id, keeper as WorkerId, REPORT)).toBeUndefined()
    expect(await reportProjectServer(records.db, id, next, REPORT)).toMatchObject({ state: 'up' })
  })

  it('end only where nobody has used them since', async () => {
    const id = await project()
    const keeper = await worker()
    await claimProjectServer(records.db, id, keeper)
    expect(await beginStop(records.db, id, keeper, 60_000)).toBe(false)
    expect(await beginStop(records.db, id, await worker(), 0)).toBe(false)
    expect(await beginStop(records.db, id, keeper, 0)).toBe(true)
    await releaseProjectServer(records.db, id, keeper, { left: false })
    expect(await touchProjectServer(records.db, id)).toMatchObject({
      state: 'stopped',
      worker_id: null,
      is_kept: false,
    })
  })

  it('know the ports that are others’', async () => {
    const [one, two] = [await project(), await project()]
    const keeper = await worker()
    await claimProjectServer(records.db, one, keeper)
    await reportProjectServer(records.db, one, keeper, { ...REPORT, url: 'http://127.0.0.1:4777' })
    expect(await portsOfOthers(records.db, two)).toContain(4777)
    expect(await portsOfOthers(records.db, one)).not.toContain(4777)
  })
})
