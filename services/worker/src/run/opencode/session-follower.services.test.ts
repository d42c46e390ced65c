import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { newMessageId, newTaskId, newWorkerId } from '@switchyard/contracts'
import {
  newMessageId as newPromptId,
  OpenCodeServer,
  permissionRules,
  remoteServer,
  type SessionRef,
} from '@switchyard/opencode'
import { createBus } from '@switchyard/queue'
import {
  acceptTask,
  admitTask,
  advance,
  Records,
  readEvents,
  replyToRequest,
  reportWorker,
  sendMessage,
  unsettledRequests,
} from '@switchyard/records'
import {
  createDatabase,
  ordinaryTask,
  type ScriptedModel,
  type ScriptStep,
  script,
  startOpenCode,
  startScriptedModel,
} from '@switchyard/testing'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  createOutageProxy,
  OUTAGES,
  type OutageProxy,
} from '../../../../../packages/opencode/src/outage-proxy.fixture.ts'
import { Interrupt } from '../interrupt.ts'
import { CONTINUE, NUDGE } from '../prompt-texts.ts'
import { RunRecord } from '../run-record.ts'
import type { Verdict } from '../verdict.ts'
import { SessionFollower } from './session-follower.ts'
import { SessionRequests } from './session-requests.ts'
import { promptOptionsOf } from './task-session.ts'

// One OpenCode server for the file; the first prompt in each directory costs it a second of CPU
// time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const PATIENCE = { timeout: 30_000 }
const READ_INTERVAL_MS = 100
const STUCK_MS = 600_000

/** Counts how often the follower has checked the session. */
class CountingRequests extends SessionRequests {
  checks = 0

  override async settle(sessionIds: ReadonlySet<string>): Promise<void> {
    await super.settle(sessionIds)
    this.checks += 1
  }
}

describe('SessionFollower', () => {
  const logger = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })
  const bus = createBus(undefined, logger)
  const closing: (() => unknown)[] = []
  const followers: SessionFollower[] = []
  let root: string
  let records: Records
  let model: ScriptedModel
  let server: OpenCodeServer
  let line: OutageProxy

  beforeAll(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'switchyard-test-follower-'))
    closing.push(() => rm(root, { recursive: true, force: true, maxRetries: 5 }))
    const database = await createDatabase()
    closing.push(database.drop, () => bus.close())
    records = new Records({ connectionString: database.url, applicationName: 'test' })
    closing.push(() => records.close())
    await records.migrate()
    model = await startScriptedModel()
    closing.push(model.close)
    const opencode = await startOpenCode({ modelUrl: model.url })
    closing.push(opencode.close)
    line = await createOutageProxy(() => Number(new URL(opencode.url).port))
    closing.push(line.close)
    server = OpenCodeServer.start({
      launcher: remoteServer({ url: line.url, password: opencode.password }),
      healthCheckIntervalMs: 200,
      retryDelayMs: 50,
      maxRetryDelayMs: 500,
      maxRetries: 1,
      callTimeoutMs: 5_000,
      logger,
    })
    closing.push(() => server.close())
    await server.ready()
  })

  afterEach(() => {
    for (const follower of followers.splice(0)) follower.close()
  })

  afterAll(async () => {
    for (const close of closing.reverse()) await close()
  })

  /**
   * Starts a task whose agent follows `steps`, as a run of this worker does once the session is
   * open.
   */
  const startTask = async (steps: readonly ScriptStep[], permissions: 'allow' | 'ask' = 'allow') => {
    let passedMs = 0
    const id = newTaskId()
    const workerId = newWorkerId()
    await reportWorker(records.db, { id: workerId, hostname: 'test', concurrency: 1, queueNames: ['blue'] })
    await acceptTask(records.db, {
      ...ordinaryTask(),
      id,
      agent_id: id,
      pool: 'blue',
      permissions,
      description: script(steps),
    })
    const limits = { total: 100, perServer: 100, perAgent: 100, perProject: 100 }
    const admission = await admitTask(records.db, workerId, { opencode: server.id }, limits, 'blue')
    if (admission.kind !== 'taken') throw new Error(`the task was not admitted: ${admission.kind}`)
    const directory = path.join(root, id)
    await mkdir(directory)
    const rules = permissionRules(permissions)
    const { id: sessionId } = await server.client.createSession({ directory, title: id, permission: rules })
    const record = new RunRecord(records, bus, logger, admission.row)
    await record.write({ to: 'running', set: { directory, session_id: sessionId, prompt_id: newPromptId() } })
    const interrupt = new Interrupt()
    const ref = { sessionId, directory }
    const promptOptions = promptOptionsOf(record, 'scripted/model')
    const session = { record, server, ref, promptOptions, signal: interrupt.signal }
    const requests = new CountingRequests(session, 60_000, logger)
    const follower = new SessionFollower({
      session,
      requests,
      interrupt,
      stuckMs: STUCK_MS,
      readIntervalMs: READ_INTERVAL_MS,
      now: () => Date.now() + passedMs,
      bus,
      logger,
    })
    followers.push(follower)
    await follower.start(false)
    return {
      id,
      ref,
      record,
      follower,
      interrupt,
      skipTime: (ms: number) => {
        passedMs += ms
      },
      /** Lets the clock jump, and waits for two checks with the new time. */
      passTime: async (ms: number) => {
        passedMs += ms
        const { checks } = requests
        await expect.poll(() => requests.checks, PATIENCE).toBeGreaterThan(checks + 1)
      },
      say: async (message: string) => {
        await sendMessage(records.db, newMessageId(), id, 'me', { message })
        follower.command()
      },
      events: () => readEvents(records.db, id, { after: 0, limit: 1_000 }),
      prompts: async () =>
        (await server.client.messages(ref)).flatMap(({ info, parts }) =>
          info.role === 'user' ? parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])) : [],
        ),
    }
  }

  /** Resolves when the turn has reached the model. */
  const untilAtModel = ({ sessionId }: SessionRef) =>
    model.waitForRequest(({ session, turn }) => session === sessionId && turn === 0, PATIENCE.timeout)

  /** The last answer of the task's own session. */
  const answerOf = (verdict: Verdict | null): string | undefined =>
    verdict?.findings.root
      .flatMap(({ parts }) => parts)
      .flatMap((part) => (part.type === 'text' ? [part.text] : []))
      .at(-1)

  it('returns the answer of the agent and records its steps', async () => {
    const { follower, events } = await startTask([
      { tool: 'bash', args: { command: 'echo one', description: 'Say one' } },
      { say: 'all done' },
    ])
    const verdict = await follower.untilVerdict()
    expect(verdict).toMatchObject({ kind: 'completed', messagesSeen: 0 })
    expect(answerOf(verdict)).toBe('all done')
    expect((await events()).map(({ message }) => message)).toContainEqual(expect.stringContaining('echo one'))
  })

  it('returns the error of a turn that failed', async () => {
    const { follower } = await startTask([{ fail: { status: 401, times: 0 } }])
    expect(await follower.untilVerdict()).toMatchObject({ kind: 'failed', error: { code: expect.any(String) } })
  })

  it('delivers a message that arrives during the turn before it returns a verdict', async () => {
    const { ref, follower, say, prompts } = await startTask([{ hold: 'during' }, { say: 'first' }])
    const verdict = follower.untilVerdict()
    await untilAtModel(ref)
    await say('use tabs')
    await expect.poll(prompts, PATIENCE).toContain('use tabs')
    model.release('during')
    expect(await verdict).toMatchObject({ kind: 'completed', messagesSeen: 1 })
  })

  it('delivers a message that arrives after the verdict when it is called again', async () => {
    const { follower, say } = await startTask([{ say: 'first' }])
    expect(await follower.untilVerdict()).toMatchObject({ kind: 'completed', messagesSeen: 0 })
    await say(script([{ say: 'second' }]))
    const verdict = await follower.untilVerdict()
    expect(verdict).toMatchObject({ kind: 'completed', messagesSeen: 1 })
    expect(answerOf(verdict)).toBe('second')
  })

  it('reads what has happened while the connection was lost, and records it once', async () => {
    const { follower, events, ref } = await startTask([
      { hold: 'lost' },
      { tool: 'bash', args: { command: 'echo while-lost', description: 'Say it' } },
      { say: 'all done' },
    ])
    const verdict = follower.untilVerdict()
    await untilAtModel(ref)
    line.cut()
    model.release('lost')
    expect(await verdict).toMatchObject({ kind: 'completed' })
    const messages = (await events()).map(({ message }) => message)
    expect(messages.filter((message) => message.includes('all done'))).toHaveLength(1)
  })

  it.each(OUTAGES)('waits for a server that is unreachable, and continues to follow its turn: %s', async (outage) => {
    const { follower, events, ref } = await startTask([{ hold: outage }, { say: 'all done' }])
    const verdict = follower.untilVerdict()
    await untilAtModel(ref)
    await line.begin(outage)
    model.release(outage)
    // Many times longer than it takes to find the server unreachable twice.
    await delay(2_000)
    await line.end()
    expect(await verdict).toMatchObject({ kind: 'completed' })
    expect((await events()).map(({ type }) => type)).not.toContain('task_recovered')
  })

  it('resumes a turn that somebody else aborted, after two reads', async () => {
    const { follower, events, ref, prompts } = await startTask([{ hold: 'aborted' }, { say: 'never' }])
    const verdict = follower.untilVerdict()
    await untilAtModel(ref)
    await server.client.abortTree(ref)
    await expect.poll(async () => (await events()).map(({ type }) => type), PATIENCE).toContain('task_recovered')
    expect(await prompts()).toContain(CONTINUE)
    model.release('aborted')
    expect(await verdict).toMatchObject({ kind: 'completed' })
  })

  it('nudges a turn without a sign of work once, and then interrupts the run', async () => {
    const { ref, follower, interrupt, events, prompts, skipTime, passTime } = await startTask([{ hold: 'stuck' }])
    const verdict = follower.untilVerdict()
    await untilAtModel(ref)
    await passTime(STUCK_MS)
    expect((await events()).filter(({ data }) => data.kind === 'nudge')).toHaveLength(1)
    expect(await prompts()).toContain(NUDGE)
    expect(interrupt.reason).toBeNull()
    const stopped = expect(verdict).rejects.toThrow('interrupted: stuck')
    skipTime(STUCK_MS)
    await stopped
    expect((await events()).filter(({ data }) => data.kind === 'nudge')).toHaveLength(1)
    model.release('stuck')
  })

  it('does not count the wait for a reply as a lack of progress, and passes the reply on', async () => {
    const steps = [{ tool: 'bash', args: { command: 'echo allowed', description: 'Say it' } }, { say: 'all done' }]
    const { id, follower, record, events, passTime } = await startTask(steps, 'ask')
    const verdict = follower.untilVerdict()
    const pending = () => unsettledRequests(records.db, id)
    await expect.poll(async () => (await pending()).length, PATIENCE).toBe(1)
    await expect.poll(() => record.row.status, PATIENCE).toBe('input_required')
    await passTime(0)
    await passTime(STUCK_MS)
    await passTime(STUCK_MS)
    expect(record.row.status).toBe('input_required')
    const [request] = await pending()
    const event = { type: 'task_input_answered', message: 'once', data: {} } as const
    await replyToRequest(records.db, id, request?.id ?? '', { reply: 'once', message: null }, 'me', event)
    follower.command()
    expect(await verdict).toMatchObject({ kind: 'completed' })
    const recorded = await events()
    expect(recorded.map(({ type }) => type)).toContain('task_input_required')
    expect(recorded.filter(({ data }) => data.kind === 'nudge')).toEqual([])
  })

  it('interrupts the run when a cancel is requested', async () => {
    const { id, follower, interrupt } = await startTask([{ hold: 'cancelled' }])
    const verdict = follower.untilVerdict()
    await advance(records.db, { taskId: id, generation: null, set: { cancel_requested_at: new Date() } })
    follower.command()
    await expect(verdict).rejects.toThrow('interrupted: cancel')
    expect(interrupt.reason).toBe('cancel')
    model.release('cancelled')
  })
})
