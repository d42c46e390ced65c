import { newRequestId, type TaskId, type TaskRequest } from '@switchyard/contracts'
import type { Command } from '@switchyard/queue'
import { advance, findRequest, findTaskRow, openRequest, readEvents, storeDiff } from '@switchyard/records'
import { type MatrixFixture, startMatrixFixture, whyNoSynapse } from '@switchyard/testing'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { event, startTestNotifier, type TestNotifier } from '../notifier.fixture.ts'
import { complete, run } from './tasks.fixture.ts'

const missing = await whyNoSynapse()

describe.skipIf(missing !== undefined)(`Matrix commands${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let matrix: MatrixFixture
  let notifier: TestNotifier
  let roomId: string
  let commands: Command[]

  beforeAll(async () => {
    matrix = await startMatrixFixture()
  })
  afterAll(() => matrix?.close())
  beforeEach(async () => {
    roomId = await matrix.room()
    notifier = await startTestNotifier({ ...matrix.env, MATRIX_ROOM_ID: roomId })
    commands = []
    await notifier.bus.onCommand((command) => commands.push(command))
    await notifier.start()
    await listening()
  })
  afterEach(() => notifier?.close())

  const soon = { timeout: 20_000 }
  /** Waits for a stored sync position: from then on no event is missed. */
  const listening = () =>
    expect
      .poll(
        async () =>
          (await sql`SELECT since FROM matrix_syncs WHERE since IS NOT NULL`.execute(notifier.records.db)).rows,
        soon,
      )
      .toHaveLength(1)
  /** Starts a task, and returns it with the root of its thread. */
  const threaded = async (isRunning = true) => {
    const task = await notifier.accept()
    if (isRunning) await run(notifier.records, task)
    else await notifier.addEvents(task, event('task_input_answered'))
    const root = async () =>
      (await matrix.roomEvents(roomId)).find(({ content }) => content.body?.includes(task))?.event_id
    await expect.poll(root, soon).toBeDefined()
    return { task, root: (await root()) ?? '' }
  }
  const statusOf = async (task: TaskId) => (await findTaskRow(notifier.records.db, task))?.status
  const events = async (task: TaskId, type: string) =>
    (await readEvents(notifier.records.db, task, { after: 0, limit: 1_000 })).filter((each) => each.type === type)
  /** Returns the bot's replies to an event. */
  const repliesTo = async (eventId: string) =>
    (await matrix.roomEvents(roomId))
      .filter(({ sender, content }) => {
        const relation = content['m.relates_to'] as { 'm.in_reply_to'?: { event_id?: string } } | undefined
        return sender === matrix.bot.id && relation?.['m.in_reply_to']?.event_id === eventId
      })
      .map(({ content }) => content.body ?? '')
  const replied = (eventId: string, words: string) =>
    expect.poll(() => repliesTo(eventId), soon).toEqual([expect.stringContaining(words)])
  const openRequestOf = async (task: TaskId, what: Partial<Pick<TaskRequest, 'kind' | 'questions'>> = {}) => {
    const { row } = await openRequest(notifier.records.db, task, {
      id: newRequestId(),
      opencode_id: newRequestId(),
      session_id: 'session',
      kind: 'permission',
      title: 'May the agent use bash: npm <install>?',
      permission: 'bash',
      patterns: ['npm <install>'],
      always: [],
      questions: [],
      default_reply: 'reject',
      expires_at: new Date(Date.now() + 600_000),
      ...what,
    })
    const { id: request_id, kind, patterns, questions, expires_at, default_reply } = row
    await advance(notifier.records.db, {
      taskId: task,
      generation: null,
      ...((await statusOf(task)) === 'running' ? { to: 'input_required' as const } : {}),
      events: [
        {
          type: 'task_input_required',
          message: row.title,
          data: { request_id, kind, patterns, questions, expires_at, default_reply },
        },
      ],
    })
    const messageId = async () =>
      (
        await sql<{ event_id: string }>`SELECT event_id FROM matrix_messages WHERE request_id = ${row.id}`.execute(
          notifier.records.db,
        )
      ).rows[0]?.event_id
    await expect.poll(messageId, soon).toBeDefined()
    return { requestId: row.id, message: (await messageId()) ?? '' }
  }
  const answerOf = (task: TaskId, requestId: string) =>
    expect.poll(async () => {
      const row = await findRequest(notifier.records.db, task, requestId)
      return row?.reply && [row.reply.reply, row.reply.message, row.replied_by]
    }, soon)

  it('sends a message in the thread to the agent, with its sender', async () => {
    const { task, root } = await threaded()
    const said = await matrix.say(matrix.ann, roomId, root, 'Use <b>pnpm</b>')
    await replied(said, 'Stored. The agent receives it')
    expect(await events(task, 'task_message')).toMatchObject([
      { data: { message: 'Use <b>pnpm</b>', sent_by: matrix.ann.id } },
    ])
    expect(commands).toContainEqual({ kind: 'message', task_id: task })
  })

  it('pauses, resumes, shows and cancels a task', async () => {
    const { task, root } = await threaded(false)
    const say = (body: string) => matrix.say(matrix.ann, roomId, root, body)
    await replied(await say('!pause until Monday'), 'Done: the task is paused.')
    expect(await events(task, 'task_control')).toMatchObject([{ data: { by: matrix.ann.id, reason: 'until Monday' } }])
    await replied(await say('!status'), 'paused')
    await replied(await say('!resume'), 'Done: the task is queued.')
    await replied(await say('!diff'), 'has no working directory yet')
    await replied(await say('!frobnicate'), '!help')
    await replied(await say('!cancel enough'), 'Done: the task is cancelled.')
    await replied(await say('go on'), 'has ended')
    expect(await statusOf(task)).toBe('cancelled')
  })

  it('requests a control of a running task from its worker', async () => {
    const { task, root } = await threaded()
    await replied(await matrix.say(matrix.ann, roomId, root, '!pause'), 'Requested from the worker')
    expect(commands).toContainEqual({ kind: 'control', task_id: task })
  })

  it('shows a diff, and attaches a long one', async () => {
    const { task, root } = await threaded()
    await complete(notifier.records, task, 'done')
    const file = { path: 'a.ts', status: 'modified' as const, additions: 1, deletions: 0, binary: false }
    await storeDiff(notifier.records.db, task, {
      diff: `+<x>\n${'+more\n'.repeat(1_000)}`,
      files: [file],
      truncated: false,
    })
    await sql`UPDATE tasks SET workspace_removed_at = now() WHERE id = ${task}`.execute(notifier.records.db)
    const said = await matrix.say(matrix.ann, roomId, root, '!diff')
    await expect.poll(() => repliesTo(said), soon).toEqual([expect.stringContaining('a.ts  +1 −0'), `${task}.diff`])
  })

  it('accepts a reaction as the answer to a permission request', async () => {
    const { task, root } = await threaded()
    const [first, second] = [await openRequestOf(task), await openRequestOf(task)]
    await replied(await matrix.say(matrix.ann, roomId, root, 'yes'), '2 requests are waiting')
    await matrix.react(matrix.ann, roomId, second.message, '♾️')
    await answerOf(task, second.requestId).toEqual(['always', null, matrix.ann.id])
    await matrix.react(matrix.ann, roomId, first.message, '🎉')
    await matrix.react(matrix.ann, roomId, first.message, '✅')
    await answerOf(task, first.requestId).toEqual(['once', null, matrix.ann.id])
    expect(commands).toContainEqual({ kind: 'reply', task_id: task })
    await expect
      .poll(
        async () =>
          (await matrix.roomEvents(roomId)).filter(({ content }) => content.body?.includes('answered by')).length,
        soon,
      )
      .toBe(2)
  })

  it('accepts words as the answer to a permission request, with a reason for a rejection', async () => {
    const { task, root } = await threaded()
    const { requestId } = await openRequestOf(task)
    await replied(await matrix.say(matrix.ann, roomId, root, 'Which version is it?'), 'still waits for an answer')
    await matrix.say(matrix.ann, roomId, root, 'no, because it is Friday')
    await answerOf(task, requestId).toEqual(['reject', 'because it is Friday', matrix.ann.id])
  })

  it('accepts a number or words as the answer to a question', async () => {
    const { task, root } = await threaded()
    const options = ['red', 'blue'].map((label) => ({ label, description: null }))
    const questions = [{ question: 'Which colour?', header: null, options, multiple: false }]
    const first = await openRequestOf(task, { kind: 'question', questions })
    await replied(await matrix.say(matrix.ann, roomId, root, '7'), 'There is no option 7')
    await matrix.say(matrix.ann, roomId, root, '2')
    await answerOf(task, first.requestId).toEqual([[['blue']], null, matrix.ann.id])
    const second = await openRequestOf(task, { kind: 'question', questions })
    await matrix.say(matrix.ann, roomId, root, 'green, if you can')
    await answerOf(task, second.requestId).toEqual([[['green, if you can']], null, matrix.ann.id])
  })

  it('ignores users who are not allowed, itself, and messages outside of a thread', async () => {
    const eve = await matrix.synapse.register(`eve${Date.now()}`)
    await matrix.ann.call('POST', matrix.path(roomId, 'invite'), { user_id: eve.id })
    await eve.call('POST', `/_matrix/client/v3/join/${roomId}`, {})
    const { task, root } = await threaded(false)
    const { requestId, message } = await openRequestOf(task)
    for (const user of [eve, matrix.bot]) {
      await matrix.say(user, roomId, root, '!cancel')
      await matrix.react(user, roomId, message, '✅')
    }
    await matrix.send(matrix.ann, roomId, 'm.room.message', { msgtype: 'm.notice', body: '!cancel' })
    const outside = await matrix.send(matrix.ann, roomId, 'm.room.message', { msgtype: 'm.text', body: '!cancel' })
    const last = await matrix.say(matrix.ann, roomId, root, '!status')
    await replied(last, 'queued since')
    expect(await events(task, 'task_control')).toEqual([])
    expect((await findRequest(notifier.records.db, task, requestId))?.reply).toBeNull()
    expect(outside).not.toBe('')
    expect(
      (await matrix.roomEvents(roomId)).filter(({ content }) => content.body?.startsWith('Which task?')),
    ).toHaveLength(1)
  })

  it('accepts invitations of allowed users only', async () => {
    const eve = await matrix.synapse.register(`eve${Date.now()}`)
    const theirs = String(
      (await eve.call('POST', '/_matrix/client/v3/createRoom', { invite: [matrix.bot.id] })).room_id,
    )
    const hers = await matrix.room()
    await expect.poll(() => matrix.joined(matrix.bot), soon).toContain(hers)
    expect(await matrix.joined(matrix.bot)).not.toContain(theirs)
  })

  describe('after a restart', () => {
    it('runs missed commands once and repeats no earlier ones', async () => {
      const { task, root } = await threaded(false)
      const before = await matrix.say(matrix.ann, roomId, root, '!pause')
      await replied(before, 'Done')
      await notifier.stop()
      const meanwhile = await matrix.say(matrix.ann, roomId, root, '!resume')
      for (let count = 0; count < 120; count += 1)
        await matrix.send(matrix.ann, roomId, 'm.room.message', { msgtype: 'm.text', body: 'chatter' })
      await notifier.start()
      await replied(meanwhile, 'Done: the task is queued.')
      expect((await events(task, 'task_control')).map(({ data }) => data.control)).toEqual(['pause', 'resume'])
      expect(await repliesTo(before)).toHaveLength(1)
    })

    it('runs nothing twice if its sync position was not stored', async () => {
      const { task, root } = await threaded(false)
      const position = async () =>
        (await sql<{ since: string }>`SELECT since FROM matrix_syncs`.execute(notifier.records.db)).rows[0]?.since
      const { requestId } = await openRequestOf(task)
      await notifier.stop()
      const since = await position()
      const said = [
        await matrix.say(matrix.ann, roomId, root, '!say Some words'),
        await matrix.say(matrix.ann, roomId, root, '!pause'),
      ]
      const answer = await matrix.say(matrix.ann, roomId, root, 'once')
      await notifier.start()
      await replied(said[1] ?? '', 'Done')
      await notifier.stop()
      await sql`UPDATE matrix_syncs SET since = ${since}`.execute(notifier.records.db)
      await notifier.start()
      const marker = await matrix.say(matrix.ann, roomId, root, '!status')
      await replied(marker, 'paused')
      expect(await events(task, 'task_message')).toHaveLength(1)
      expect(await events(task, 'task_control')).toHaveLength(1)
      await answerOf(task, requestId).toEqual(['once', null, matrix.ann.id])
      expect(await repliesTo(answer)).toEqual([])
      for (const eventId of said) expect(await repliesTo(eventId)).toHaveLength(1)
    })

    it('ignores messages from before the first sync', async () => {
      const { task, root } = await threaded(false)
      await notifier.stop()
      await sql`DELETE FROM matrix_syncs`.execute(notifier.records.db)
      await matrix.say(matrix.ann, roomId, root, '!cancel')
      await notifier.start()
      await listening()
      await replied(await matrix.say(matrix.ann, roomId, root, '!status'), 'queued since')
      expect(await statusOf(task)).toBe('queued')
    })
  })

  it('listens with one of two notifiers, and with the other one when the first has stopped', async () => {
    const { task, root } = await threaded(false)
    const other = await startTestNotifier({ ...matrix.env, MATRIX_ROOM_ID: roomId }, notifier.database)
    await other.start()
    await replied(await matrix.say(matrix.ann, roomId, root, '!pause'), 'Done')
    await notifier.stop()
    await replied(await matrix.say(matrix.ann, roomId, root, '!resume'), 'Done')
    expect(await events(task, 'task_control')).toHaveLength(2)
    await other.close()
  })
})
