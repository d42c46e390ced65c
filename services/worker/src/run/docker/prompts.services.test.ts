import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newMessageId, newTaskId, newWorkerId } from '@switchyard/contracts'
import { newMessageId as newPromptId } from '@switchyard/opencode'
import { createBus } from '@switchyard/queue'
import { acceptTask, admitTask, countDelivered, Records, reportWorker, sendMessage } from '@switchyard/records'
import { createDatabase, ordinaryTask, type TestDatabase } from '@switchyard/testing'
import { containerDirectories } from '@switchyard/workspace/layout'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CONTINUE } from '../prompt-texts.ts'
import { RunRecord } from '../run-record.ts'
import { Place } from './container-directory.ts'
import { Prompts } from './prompts.ts'

const logger = pino({ level: 'silent' })
const bus = createBus(undefined, logger)
let database: TestDatabase
let records: Records
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'switchyard-test-prompts-'))
  database = await createDatabase()
  records = new Records({ connectionString: database.url, applicationName: 'test' })
  await records.migrate()
})

afterAll(async () => {
  await bus.close()
  await records?.close()
  await database?.drop()
  await rm(directory, { recursive: true, force: true })
})

/** A task in its session whose own prompt has an id, as a run takes it up. */
const taken = async () => {
  const id = newTaskId()
  const own = newPromptId()
  const workerId = newWorkerId()
  await reportWorker(records.db, { id: workerId, hostname: 'test', concurrency: 1, queueNames: ['docker'] })
  await acceptTask(records.db, { ...ordinaryTask(), id, agent_id: id, mode: 'docker' })
  const limits = { total: 100, perServer: 100, perAgent: 100, perProject: 100 }
  const admission = await admitTask(records.db, workerId, { docker: 'docker' }, limits, 'docker')
  if (admission.kind !== 'taken') throw new Error(`the task was not taken: ${admission.kind}`)
  const record = new RunRecord(records, bus, logger, admission.row)
  await record.write({ to: 'running', set: { prompt_id: own, session_id: 'ses_1' } })
  const place = new Place(containerDirectories(directory, id))
  await mkdir(path.dirname(place.promptFile(own)), { recursive: true })
  const say = (message: string) => sendMessage(records.db, newMessageId(), id, 'me', { message })
  return { id, own, record, place, prompts: new Prompts(record, place), say }
}

describe('the next prompt', () => {
  it('is the one on the record where no container has had it', async () => {
    const { own, prompts, record } = await taken()
    expect(await prompts.next('it was removed')).toMatchObject({ id: own })
    expect(record.row.recoveries).toBe(0)
  })

  it('is the word to go on, under a new id, where a container that is gone may have had it', async () => {
    const { own, prompts, place, record } = await taken()
    await place.writePrompt(own, 'do it')
    const next = await prompts.next('it was removed')
    expect(next.text).toBe(CONTINUE)
    expect(next.id > own).toBe(true)
    expect(record.row).toMatchObject({ recoveries: 1, prompt_id: next.id })
  })

  it('is the one on the record where its container was made and not started', async () => {
    const { own, prompts, place } = await taken()
    await place.writePrompt(own, 'do it')
    prompts.unstarted(own)
    expect((await prompts.next('it was removed')).id).toBe(own)
  })

  it('says again what the session did not get, until it has it', async () => {
    const { id, own, prompts, say } = await taken()
    prompts.answered(own)
    await say('use tabs')
    const first = await prompts.fromCallers()
    prompts.answered(first?.id ?? '')
    expect(await countDelivered(records.db, id)).toBe(0)
    const again = await prompts.next('exit code 137')
    expect(again.text).toBe('use tabs')
    expect(again.id).not.toBe(first?.id)
    await prompts.heard(again.id)
    expect(await countDelivered(records.db, id)).toBe(1)
    prompts.answered(again.id)
    expect((await prompts.next('exit code 137')).text).toBe(CONTINUE)
  })

  it('knows of one that the session got from a container that is gone', async () => {
    const { own, prompts, record, place, say } = await taken()
    prompts.answered(own)
    expect(await prompts.isLastLost()).toBe(false)
    await say('use tabs')
    const asked = await prompts.fromCallers()
    await prompts.heard(asked?.id ?? '')
    const later = new Prompts(record, place)
    later.answered(own)
    expect(await later.isLastLost()).toBe(true)
    later.answered(asked?.id ?? '')
    expect(await later.isLastLost()).toBe(false)
  })
})
