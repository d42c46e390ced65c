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
import { ContainerDirectory } from './container-directory.ts'
import { TaskPrompts } from './task-prompts.ts'

const logger = pino({ level: 'silent' })
const bus = createBus(undefined, logger)
let database: TestDatabase
let records: Records
let root: string

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'switchyard-test-prompts-'))
  database = await createDatabase()
  records = new Records({ connectionString: database.url, applicationName: 'test' })
  await records.migrate()
})

afterAll(async () => {
  await bus.close()
  await records?.close()
  await database?.drop()
  await rm(root, { recursive: true, force: true })
})

/** Starts a task that has a session and the id of its own prompt. */
const startTask = async () => {
  const id = newTaskId()
  const own = newPromptId()
  const workerId = newWorkerId()
  await reportWorker(records.db, { id: workerId, hostname: 'test', concurrency: 1, queueNames: ['docker'] })
  await acceptTask(records.db, { ...ordinaryTask(), id, agent_id: id, mode: 'docker' })
  const limits = { total: 100, perServer: 100, perAgent: 100, perProject: 100 }
  const admission = await admitTask(records.db, workerId, { docker: 'docker' }, limits, 'docker')
  if (admission.kind !== 'taken') throw new Error(`the task was not admitted: ${admission.kind}`)
  const record = new RunRecord(records, bus, logger, admission.row)
  await record.write({ to: 'running', set: { prompt_id: own, session_id: 'ses_1' } })
  const directory = new ContainerDirectory(containerDirectories(root, id))
  await mkdir(path.dirname(directory.promptFile(own)), { recursive: true })
  const say = (message: string) => sendMessage(records.db, newMessageId(), id, 'me', { message })
  return { id, own, record, directory, prompts: new TaskPrompts(record, directory), say }
}

describe('TaskPrompts', () => {
  it('returns the recorded prompt if no container has had it', async () => {
    const { own, prompts, record } = await startTask()
    expect(await prompts.next('it was removed')).toMatchObject({ id: own })
    expect(record.row.recoveries).toBe(0)
  })

  it('returns the prompt to continue, under a new id, if a removed container may have had the recorded one', async () => {
    const { own, prompts, directory, record } = await startTask()
    await directory.writePrompt(own, 'do it')
    const next = await prompts.next('it was removed')
    expect(next.text).toBe(CONTINUE)
    expect(next.id > own).toBe(true)
    expect(record.row).toMatchObject({ recoveries: 1, prompt_id: next.id })
  })

  it('returns the recorded prompt if its container was created and not started', async () => {
    const { own, prompts, directory } = await startTask()
    await directory.writePrompt(own, 'do it')
    prompts.markUnstarted(own)
    expect((await prompts.next('it was removed')).id).toBe(own)
  })

  it('returns the messages of an interrupted container again until the session has them', async () => {
    const { id, own, prompts, say } = await startTask()
    prompts.markEnded(own)
    await say('use tabs')
    const first = await prompts.fromCallers()
    prompts.markEnded(first?.id ?? '')
    expect(await countDelivered(records.db, id)).toBe(0)
    const again = await prompts.next('exit code 137')
    expect(again.text).toBe('use tabs')
    expect(again.id).not.toBe(first?.id)
    await prompts.markReceived(again.id)
    expect(await countDelivered(records.db, id)).toBe(1)
    prompts.markEnded(again.id)
    expect((await prompts.next('exit code 137')).text).toBe(CONTINUE)
  })

  it('detects that the container of the last prompt of the session was removed', async () => {
    const { own, prompts, record, directory, say } = await startTask()
    prompts.markEnded(own)
    expect(await prompts.isLastLost()).toBe(false)
    await say('use tabs')
    const sent = await prompts.fromCallers()
    await prompts.markReceived(sent?.id ?? '')
    const later = new TaskPrompts(record, directory)
    later.markEnded(own)
    expect(await later.isLastLost()).toBe(true)
    later.markEnded(sent?.id ?? '')
    expect(await later.isLastLost()).toBe(false)
  })
})
