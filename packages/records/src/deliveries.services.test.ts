// The order of deliveries of one task, on the real database.

import { newTaskId, newWebhookId, type TaskId } from '@switchyard/contracts'
import { createDatabase, ordinaryTask, type TestDatabase } from '@switchyard/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  acceptTask,
  advance,
  createDestination,
  type DeliveryRow,
  deferFollowers,
  findDueDestinations,
  markArrived,
  markFailed,
  Records,
  takeDeliveries,
} from './index.ts'

const LEASE = { notifierId: 'notifier', ms: 60_000 }

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

/** Creates a destination with two deliveries of one task. @returns its key. */
const twoDeliveries = async (): Promise<string> => {
  const id: TaskId = newTaskId()
  const destination = await createDestination(records.db, {
    id: newWebhookId(),
    url: 'https://example.com',
    owner_key: 'local',
    sees_all: true,
    description: null,
    event_types: ['task_progress'],
    agent_id: null,
    project_id: null,
    progress_interval_ms: 1,
    escalation: false,
    secret: 'secret',
  })
  await acceptTask(records.db, { ...ordinaryTask(), id })
  for (const message of ['first', 'second'])
    await advance(records.db, { taskId: id, generation: null, events: [{ type: 'task_progress', message, data: {} }] })
  return destination.id
}

const take = async (destination: string): Promise<DeliveryRow> => {
  const [row, ...rest] = await takeDeliveries(records.db, destination, 10, LEASE)
  expect(rest).toEqual([])
  if (!row) throw new Error('no delivery is due')
  return row
}

it('keeps the next delivery due while the one before it is being sent, so that no arrival can miss it', async () => {
  const destination = await twoDeliveries()
  const first = await take(destination)
  await deferFollowers(records.db, destination)
  expect(await findDueDestinations(records.db, 100)).toContain(destination)
  expect(await takeDeliveries(records.db, destination, 10, LEASE)).toEqual([])
  await markArrived(records.db, [first.id])
  expect((await take(destination)).number).toBeGreaterThan(first.number)
})

it('defers the next delivery to the time at which the one before it is tried again', async () => {
  const destination = await twoDeliveries()
  await markFailed(records.db, await take(destination), { code: 'timed_out', message: '', http_status: null }, 60_000)
  await deferFollowers(records.db, destination)
  expect(await findDueDestinations(records.db, 100)).not.toContain(destination)
})
