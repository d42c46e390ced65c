// Matrix from end to end: a real homeserver, a task on a real OpenCode server, a person who
// controls it from a thread, and a notifier that is killed half-way.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { newTaskId, type Task } from '@switchyard/contracts'
import { acceptTask, advance, findTask, Records } from '@switchyard/records'
import {
  createDatabase,
  type MatrixFixture,
  ordinaryTask,
  script,
  startMatrixFixture,
  whyNoSynapse,
} from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type System, startSystem } from './system.ts'

const NOTIFIER = fileURLToPath(new URL('../../services/notifier/src/main.ts', import.meta.url))
const missing = await whyNoSynapse()
const soon = { timeout: 20_000 }

describe.skipIf(missing !== undefined)(`Matrix${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let matrix: MatrixFixture
  beforeAll(async () => {
    matrix = await startMatrixFixture()
  })
  afterAll(() => matrix?.close())

  /** Waits for the message of a room that contains these words, and returns its id. */
  const message = async (roomId: string, words: string): Promise<string> => {
    const find = async () =>
      (await matrix.roomEvents(roomId)).find(({ content }) => content.body?.includes(words))?.event_id
    await expect.poll(find, soon).toBeDefined()
    return (await find()) ?? ''
  }

  describe('with a person in the room', () => {
    let system: System
    let roomId: string
    beforeAll(async () => {
      roomId = await matrix.room()
      system = await startSystem('postgres', { ...matrix.env, MATRIX_ROOM_ID: roomId })
    })
    afterAll(() => system?.close())

    it('requests a permission, accepts a reaction as the reply, and passes a message to the agent', async () => {
      const { caller, model } = system
      const { task_id } = await caller.submit({
        permissions: 'ask',
        task_description: script([
          { tool: 'bash', args: { command: 'echo allowed > yes.txt', description: 'write' } },
          { hold: 'matrix' },
          { tool: 'bash', args: { command: 'echo more >> yes.txt', description: 'write' } },
          { say: 'Heard: {{last_user}}' },
        ]),
      })
      const root = await message(roomId, task_id)
      await matrix.react(matrix.ann, roomId, await message(roomId, 'May the agent use bash'), '♾️')
      await message(roomId, `answered by ${matrix.ann.id}: always`)
      await matrix.say(matrix.ann, roomId, root, 'use tabs')
      await message(roomId, 'The agent has it.')
      model.release('matrix')
      const task = await caller.ended(task_id)
      expect(task).toMatchObject({ status: 'completed', result: { files_changed: ['yes.txt'] } })
      expect(task.result?.output).toContain('use tabs')
      const end = await message(roomId, 'Completed')
      const event = (await matrix.roomEvents(roomId)).find(({ event_id }) => event_id === end)
      expect(event?.content.body).toMatch(/1 file, \+2 −0 · \$0\.\d{4}/)

      await matrix.say(matrix.ann, roomId, root, '!diff')
      await message(roomId, '+allowed')
    })

    it('pauses, resumes and cancels a running task', async () => {
      const { caller } = system
      const { task_id } = await caller.submit({
        task_description: script([{ hold: 'never-released' }, { say: 'never' }]),
      })
      const root = await message(roomId, task_id)
      await matrix.say(matrix.ann, roomId, root, '!pause')
      await expect.poll(async () => ((await caller.get(`/tasks/${task_id}`)) as Task).status, soon).toBe('paused')
      await matrix.say(matrix.ann, roomId, root, '!resume')
      await expect.poll(async () => ((await caller.get(`/tasks/${task_id}`)) as Task).status, soon).toBe('running')
      await matrix.say(matrix.ann, roomId, root, '!cancel enough')
      expect(await caller.ended(task_id)).toMatchObject({ status: 'cancelled' })
      await message(roomId, 'Cancelled')
    })
  })

  it('sends each notification once and runs each command once, although the notifier is killed', {
    timeout: 150_000,
  }, async () => {
    const TASKS = 30
    const roomId = await matrix.room()
    const database = await createDatabase()
    const records = new Records({ connectionString: database.url, applicationName: 'test', max: 4 })
    const running: ChildProcess[] = []
    const start = () => {
      const env = { PATH: process.env.PATH, NOTIFIER_PORT: '0', LOG_LEVEL: 'error', DATABASE_URL: database.url }
      const child = spawn(process.execPath, [NOTIFIER], {
        env: { ...env, ...matrix.env, MATRIX_ROOM_ID: roomId },
        stdio: 'inherit',
      })
      running.push(child)
      return child
    }
    const kill = async (child: ChildProcess) => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const bodies = async () => (await matrix.roomEvents(roomId)).map(({ content }) => content.body ?? '')
    const isOn = async () =>
      (await records.db.selectFrom('matrix_syncs').select('since').execute()).some(({ since }) => since !== null)
    try {
      await records.migrate()
      // What was being sent at the kill is due again when its lease expires, after 20 s.
      const first = start()
      await expect.poll(isOn, soon).toBe(true)
      const ids = Array.from({ length: TASKS }, newTaskId)
      for (const id of ids) {
        await acceptTask(records.db, { ...ordinaryTask(), id })
        const events = (['task_started', 'task_input_answered'] as const).map((type) => ({
          type,
          message: `${type} of ${id}`,
          data: {},
        }))
        await advance(records.db, { taskId: id, generation: null, events })
      }
      await expect.poll(async () => (await bodies()).length, { ...soon, interval: 20 }).toBeGreaterThan(10)
      await kill(first)
      const [task] = ids
      const root =
        (await matrix.roomEvents(roomId)).find(({ content }) => content.body?.includes(task ?? ''))?.event_id ?? ''
      await matrix.say(matrix.ann, roomId, root, '!pause')
      start()
      await expect
        .poll(async () => (await findTask(records.db, task ?? newTaskId()))?.status, { timeout: 60_000 })
        .toBe('paused')
      await expect
        .poll(async () => (await bodies()).filter((body) => body.includes('task_input_answered of')).length, {
          timeout: 60_000,
        })
        .toBe(TASKS)
      for (const id of ids) expect((await bodies()).filter((body) => body.includes(id))).toHaveLength(2)
    } finally {
      for (const child of running) child.kill('SIGKILL')
      await records.close()
      await database.drop()
    }
  })
})
