import { loadConfig } from '@switchyard/config'
import { CALLS, type CallKind, newWorkerId, SwitchyardError } from '@switchyard/contracts'
import { answerCall, type CallRow, registerProject, reportWorker, takeCalls } from '@switchyard/records'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { WorkerCalls } from '@switchyard/worker-calls'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Caller } from '../access/caller.ts'
import { startApi, type TestApi } from '../api.fixture.ts'

import { sendToSession } from './send.ts'

const PROJECT = 'proj_01K5A0Z9F6M2Q7R8S9T0V1W2X3'
const caller: Caller = { name: 'local', role: 'operator', agentId: undefined }
const unavailable = new SwitchyardError('opencode_unavailable', 'it starts')

let database: TestDatabase
let test: TestApi

beforeAll(async () => {
  database = await createDatabase()
  test = await startApi(database.url)
  await registerProject(test.records.db, {
    id: PROJECT,
    key: 'example.org/a/b',
    url: 'https://example.org/a/b',
    owner_key: null,
    name: 'b',
    base_dir: '/b',
    is_managed: true,
    pool: 'blue',
  })
})

afterAll(async () => {
  await test.close()
  await database.drop()
})

/** How the worker responds to each kind of call; undefined claims the call and does not respond. */
let responses: Partial<Record<CallKind, (call: CallRow) => object | SwitchyardError | undefined>>
let received: CallRow[]
let worker: NodeJS.Timeout

beforeEach(async () => {
  responses = { 'session.message': () => ({}) }
  received = []
  const id = newWorkerId()
  await reportWorker(test.records.db, { id, hostname: 'here', concurrency: 1, queueNames: ['blue'] })
  const work = async (): Promise<void> => {
    for (const call of await takeCalls(test.records.db, id, ['blue'], 10)) {
      received.push(call)
      const said = responses[call.kind as CallKind]?.(call)
      if (said === undefined) continue
      await answerCall(
        test.records.db,
        call.id,
        id,
        said instanceof SwitchyardError ? { error: said } : { result: said },
      )
      test.bus.publishHint(`answer:${call.id}`)
    }
  }
  worker = setInterval(() => void work(), 20)
})

afterEach(async () => {
  clearInterval(worker)
  await sql`DELETE FROM worker_calls`.execute(test.records.db)
})

const send = (waitMs: number, messageID?: string, deliverMs?: number) => {
  const { records, bus } = test
  return sendToSession(
    { config: loadConfig({}), records, bus, calls: new WorkerCalls(records, bus) },
    { caller, project: PROJECT },
    'ses_1',
    { parts: [{ type: 'text', text: 'hello' }], messageID },
    waitMs,
    deliverMs,
  )
}

const turn = (state: 'running' | 'ended') =>
  CALLS['session.turn'].result.parse({ state, message: null, text: state, asks: [], error: null })

describe('sendToSession', () => {
  it('returns the message id if the worker has not confirmed the delivery yet', async () => {
    responses = {}
    const sent = await send(0, undefined, 300)
    expect(sent).toMatchObject({ running: true, messageID: expect.stringMatching(/^msg_/), error: null })
    expect(received).toMatchObject([{ kind: 'session.message', args: { message_id: sent.messageID } }])
    // A retry with that id sends the same message.
    responses = { 'session.message': () => ({}), 'session.turn': () => turn('ended') }
    expect(await send(5_000, sent.messageID)).toMatchObject({ running: false, messageID: sent.messageID })
    expect(received.map(({ args }) => (args as { message_id: string }).message_id)).toEqual([
      sent.messageID,
      sent.messageID,
      sent.messageID,
    ])
  })

  it('waits no longer than requested, even if reading the turn is slow', async () => {
    responses['session.turn'] = () => undefined
    expect(await send(3_000)).toMatchObject({ running: true, error: null })
  })

  it('does not fail if the turn cannot be read for a while', async () => {
    let reads = 0
    responses['session.turn'] = () => {
      reads += 1
      return reads < 3 ? unavailable : turn('ended')
    }
    expect(await send(30_000)).toMatchObject({ running: false, text: 'ended' })
    responses['session.turn'] = () => new SwitchyardError('session_not_found', 'it was deleted')
    await expect(send(30_000)).rejects.toMatchObject({ code: 'session_not_found' })
  })

  it('names the message id to retry with if the message may have arrived', async () => {
    responses['session.message'] = () => unavailable
    const messageID = 'msg_mine'
    await expect(send(0, messageID)).rejects.toMatchObject({
      code: 'opencode_unavailable',
      retryable: true,
      hint: expect.stringContaining(`message id ${messageID}`),
    })
    responses['session.message'] = () => new SwitchyardError('model_not_found', 'no such model')
    await expect(send(0, messageID)).rejects.toMatchObject({
      code: 'model_not_found',
      hint: expect.not.stringContaining(messageID),
    })
  })
})
