// Submits the tasks of a scenario and checks their outcome: no task lost or run twice, no event
// missing or duplicated.

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Message, Part } from '@opencode-ai/sdk/v2'
import { type ExecuteTask, isTerminal, type Task, type TaskEvent, type TerminalStatus } from '@switchyard/contracts'
import { type Client, followEvents, type Reader } from './client.ts'
import type { TestSystem } from './system.ts'
import { waitUntil, withTimeout } from './wait.ts'
import { RUNS_FILE, type Workload } from './workload.ts'

/** The outcome that a scenario allows. */
export type Expectation = {
  /** Allowed final statuses; default: completed. */
  readonly end?: readonly TerminalStatus[]
  /**
   * OpenCode was killed during the task: a turn may be prompted again, and a tool may be
   * interrupted.
   */
  readonly serverDied?: boolean
  /** Allowed number of recoveries of the turn; default 0, or any number with `serverDied`. */
  readonly recoveries?: number
}

export type Submitted = {
  readonly id: Task['task_id']
  readonly work: Workload
  readonly reader: Reader
  readonly expected: Expectation
}

type Faults = { lost: string[]; runTwice: string[]; eventsLost: string[]; eventsDuplicated: string[] }

export type TaskVerifier = {
  readonly submit: (work: Workload, expected?: Expectation, more?: Partial<ExecuteTask>) => Promise<Submitted>
  /** Adds a task that was submitted in another way, so that it is checked too. */
  readonly track: (id: Task['task_id'], work: Workload, expected?: Expectation) => Submitted
  /** Records how long the system needed to recover from a fault, ms. */
  readonly recovered: (ms: number) => void
  /** Counts cut event streams. */
  readonly cut: (connections: number) => void
  /** Records any other violation. */
  readonly problem: (text: string) => void
  /** Records a figure to print after the scenario. */
  readonly note: (text: string) => void
  /** Waits until every task has ended, then checks each of them. */
  readonly verify: () => Promise<Result>
}

export type Result = Faults & {
  readonly submitted: number
  readonly recoveries: readonly number[]
  readonly cuts: number
  readonly problems: readonly string[]
  readonly notes: readonly string[]
}

const END_MS = 120_000
const READER_MS = 15_000
const TERMINAL = new Set(['task_completed', 'task_failed', 'task_timeout', 'task_cancelled'])

const repeated = (values: readonly (string | number)[]): readonly (string | number)[] => [
  ...new Set(values.filter((value, at) => values.indexOf(value) !== at)),
]

const missing = (events: readonly TaskEvent[]): readonly number[] => {
  const present = new Set(events.map((event) => event.seq))
  const last = Math.max(0, ...present)
  return Array.from({ length: last }, (_, at) => at + 1).filter((seq) => !present.has(seq))
}

/** Returns whether a part must be reported once: a finished tool call or a finished text. */
const mustBeReported = (message: Message, part: Part): boolean =>
  message.role === 'assistant' &&
  ((part.type === 'tool' && (part.state.status === 'completed' || part.state.status === 'error')) ||
    (part.type === 'text' &&
      !part.synthetic &&
      !part.ignored &&
      part.time?.end !== undefined &&
      part.text.trim() !== ''))

const reportsEndOf = (event: TaskEvent, partId: string): boolean =>
  event.data.part_id === partId && event.data.state !== 'running'

export const createTaskVerifier = (system: TestSystem, client: Client): TaskVerifier => {
  const submitted: Submitted[] = []
  const recoveries: number[] = []
  const problems: string[] = []
  const notes: string[] = []
  const faults: Faults = { lost: [], runTwice: [], eventsLost: [], eventsDuplicated: [] }
  let cuts = 0

  const track: TaskVerifier['track'] = (id, work, expected = {}) => {
    const one = { id, work, expected, reader: followEvents(system.clientUrl, id) }
    submitted.push(one)
    return one
  }

  /** Checks the event numbers in the database and on the stream: complete, unique and in order. */
  const checkNumbers = (one: Submitted, record: readonly TaskEvent[]): void => {
    const { events: streamedEvents } = one.reader
    const name = `${one.work.token} (${one.id})`
    for (const seq of missing(record)) faults.eventsLost.push(`${name}: event ${seq} is not in the database`)
    for (const seq of repeated(record.map((event) => event.seq)))
      faults.eventsDuplicated.push(`${name}: event ${seq} is in the database twice`)
    for (const seq of repeated(streamedEvents.map((event) => event.seq)))
      faults.eventsDuplicated.push(`${name}: the stream contained event ${seq} twice`)
    const streamed = new Set(streamedEvents.map((event) => event.seq))
    for (const event of record)
      if (!streamed.has(event.seq)) faults.eventsLost.push(`${name}: the stream did not contain event ${event.seq}`)
    if (streamedEvents.some((event, at) => at > 0 && event.seq < (streamedEvents[at - 1]?.seq ?? 0)))
      faults.eventsDuplicated.push(`${name}: the stream was not in order`)
  }

  /**
   * Checks that the session was prompted once with the description and every finished part is
   * reported once.
   */
  const checkSession = async (one: Submitted, task: Task, record: readonly TaskEvent[]): Promise<void> => {
    const { session_id, directory } = task
    if (session_id === null || directory === null) return
    const name = `${one.work.token} (${one.id})`
    const opencode = system.opencode.client(directory)
    const found = await waitUntil(
      `OpenCode returns the messages of ${name}`,
      async () => (await opencode.session.messages({ sessionID: session_id })).data,
      20_000,
      500,
    )
    const prompts = found.filter(
      ({ info, parts }) =>
        info.role === 'user' && parts.some((part) => part.type === 'text' && part.text.includes(one.work.token)),
    )
    const prompted = prompts.flatMap(({ parts }) => parts.filter((part) => part.type === 'text')).length
    if (prompted > 1) faults.runTwice.push(`${name}: prompted ${prompted} times with its description`)
    for (const { info, parts } of found)
      for (const part of parts) {
        if (!mustBeReported(info, part)) continue
        const reports = record.filter((event) => reportsEndOf(event, part.id)).length
        if (reports > 1) faults.eventsDuplicated.push(`${name}: ${part.type} ${part.id} is reported ${reports} times`)
        if (reports === 0 && task.status === 'completed')
          faults.eventsLost.push(`${name}: ${part.type} ${part.id} is not reported`)
      }
    const { data: statuses } = await opencode.session.status()
    for (const [id, status] of Object.entries(statuses ?? {}))
      if (status.type !== 'idle') problems.push(`${name}: session ${id} is still ${status.type}`)
  }

  /**
   * Checks that each step was executed at most once, and every step if the task completed without a
   * server kill.
   */
  const checkMarks = async (one: Submitted, task: Task, record: readonly TaskEvent[]): Promise<void> => {
    const name = `${one.work.token} (${one.id})`
    const text = await readFile(path.join(task.directory ?? '/nonexistent', RUNS_FILE), 'utf8').catch(() => '')
    const lines = text.split('\n').filter((line) => line !== '')
    for (const mark of repeated(lines)) faults.runTwice.push(`${name}: step ${mark} was executed twice`)
    if (one.expected.serverDied || task.status !== 'completed') return
    for (const mark of one.work.marks) {
      if (!lines.includes(mark)) faults.lost.push(`${name}: step ${mark} was not executed`)
      const reports = record.filter(
        (event) => event.data.state === 'completed' && JSON.stringify(event.data.input ?? '').includes(mark),
      ).length
      if (reports === 0) faults.eventsLost.push(`${name}: step ${mark} is not reported`)
      if (reports > 1) faults.eventsDuplicated.push(`${name}: step ${mark} is reported ${reports} times`)
    }
  }

  /**
   * Checks that the task started, prompted and ended once, apart from the recoveries that the
   * scenario allows.
   */
  const checkRuns = (one: Submitted, task: Task, record: readonly TaskEvent[]): void => {
    const name = `${one.work.token} (${one.id})`
    const countOf = (type: TaskEvent['type']): number => record.filter((event) => event.type === type).length
    const ends = record.filter((event) => TERMINAL.has(event.type)).length
    if (ends !== 1) faults.runTwice.push(`${name}: ${ends} terminal events`)
    if (countOf('task_started') > 1) faults.runTwice.push(`${name}: started ${countOf('task_started')} times`)
    const first = system.model.requests.filter(
      (request) => request.kind === 'turn' && request.turn === 0 && request.session === task.session_id,
    ).length
    if (first > 1 && !one.expected.serverDied)
      faults.runTwice.push(`${name}: the model was called for the first turn ${first} times`)
    const allowed = one.expected.recoveries ?? (one.expected.serverDied ? Number.POSITIVE_INFINITY : 0)
    const recoveries = record.filter((event) => event.type === 'task_recovered')
    if (recoveries.length > allowed) {
      const found = recoveries.map(({ timestamp, data }) => `${timestamp} ${data.found}`).join(', ')
      faults.runTwice.push(`${name}: recovered ${recoveries.length} times, at most ${allowed} allowed (${found})`)
    }
  }

  const check = async (one: Submitted): Promise<void> => {
    const name = `${one.work.token} (${one.id})`
    const expected = one.expected.end ?? ['completed']
    const task = await client.ended(one.id, END_MS).catch((error: Error) => {
      faults.lost.push(`${name}: ${error.message}`)
      return undefined
    })
    if (!task || !isTerminal(task.status)) return one.reader.close()
    if (!(expected as readonly string[]).includes(task.status))
      faults.lost.push(`${name}: ended as ${task.status}: ${task.error?.message ?? ''}`)
    if (
      (await withTimeout(
        one.reader.done.then(() => true),
        READER_MS,
      )) !== true
    ) {
      one.reader.close()
      faults.eventsLost.push(`${name}: the stream did not end`)
    }
    const record = await client.events(one.id)
    checkNumbers(one, record)
    checkRuns(one, task, record)
    await checkMarks(one, task, record)
    await checkSession(one, task, record)
  }

  return {
    track,
    submit: async (work, expected = {}, more = {}) => {
      const task = await client.submit({
        task_description: work.description,
        ...more,
        idempotency_key: work.token,
      })
      return track(task.task_id, work, expected)
    },
    recovered: (ms) => void recoveries.push(ms),
    cut: (connections) => {
      cuts += connections
    },
    problem: (text) => void problems.push(text),
    note: (text) => void notes.push(text),
    verify: async () => {
      const waiting = [...submitted]
      const checkNext = async (): Promise<void> => {
        for (let one = waiting.shift(); one; one = waiting.shift())
          await check(one).catch((error: Error) => problems.push(error.message))
      }
      await Promise.all([checkNext(), checkNext(), checkNext()])
      return { ...faults, submitted: submitted.length, recoveries, cuts, problems, notes }
    },
  }
}
