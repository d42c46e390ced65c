import { newTaskId } from '@switchyard/contracts'
import { createDatabase, ordinaryTask, type TestDatabase } from '@switchyard/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { acceptTask, advance, Records, readEvents } from './index.ts'

let database: TestDatabase
let records: Records

beforeAll(async () => {
  database = await createDatabase()
  const migrating = new Records({ connectionString: database.url, applicationName: 'test' })
  await migrating.migrate()
  await migrating.close()
  // One connection: what it has prepared it uses again.
  records = new Records({ connectionString: database.url, applicationName: 'test', max: 1 })
})

afterAll(async () => {
  await records.close()
  await database.drop()
})

const accept = async () => {
  const { row } = await acceptTask(records.db, { ...ordinaryTask(), id: newTaskId(), pool: 'blue' })
  return row.id
}

const tell = (taskId: Awaited<ReturnType<typeof accept>>, message: string) =>
  advance(records.db, { taskId, generation: null, events: [{ type: 'task_progress', message, data: {} }] })

const preparedCount = async (): Promise<number> => {
  const { rows } = await sql<{ count: number }>`SELECT count(*) AS count FROM pg_prepared_statements`.execute(
    records.db,
  )
  return rows[0]?.count ?? 0
}

describe('the statements of every event', () => {
  it('are prepared once a connection, however often they run', async () => {
    const id = await accept()
    await tell(id, 'one')
    const count = await preparedCount()
    expect(count).toBeGreaterThan(0)
    for (const message of ['two', 'three', 'four']) await tell(id, message)
    expect(await preparedCount()).toBe(count)
  })

  it('go on when a migration changes the table below a connection that has prepared them', async () => {
    const id = await accept()
    await tell(id, 'before')
    await sql`ALTER TABLE tasks ADD COLUMN added_later text DEFAULT 'new'`.execute(records.db)
    const advanced = await tell(id, 'after')
    expect(advanced?.task).toMatchObject({ id, last_seq: 3, added_later: 'new' })
    await tell(await accept(), 'another')
    expect((await readEvents(records.db, id, { after: 1, limit: 10 })).map((event) => event.message)).toEqual([
      'before',
      'after',
    ])
  })
})
