// What a scenario submitted and its outcome: nothing lost, nothing run twice, no event missing or doubled.

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Message, Part } from '@opencode-ai/sdk/v2'
import { type ExecuteTask, isTerminal, type Task, type TaskEvent, type TerminalStatus } from '@switchyard/contracts'
import { type Client, followEvents, type Reader } from './client.ts'
import { until, within } from './wait.ts'
import { RUNS_FILE, type Work } from './work.ts'
import type { World } from './world.ts'

/** What a scenario did to OpenCode decides what a task may show. */
export type Expectation = {
  /** Default: completed. */
  readonly end?: readonly TerminalStatus[]
  /** The server died during it: a turn may be prompted again, and a tool that ran then is reported as interrupted. */
  readonly serverDied?: boolean
  /** How often the turn may have been taken up again. Default 0, or any number where the server died. */
  readonly recoveries?: number
}

export type Submitted = {
  readonly id: Task['task_id']
  readonly work: Work
  readonly reader: Reader
  readonly expected: Expectation
}

type Faults = { lost: string[]; runTwice: string[]; eventsLost: string[]; eventsDoubled: string[] }

export type Ledger = {
  readonly submit: (work: Work, expected?: Expectation, more?: Partial<ExecuteTask>) => Promise<Submitted>
  /** Judges a task that another way of submitting made. */
  readonly adopt: (id: Task['task_id'], work: Work, expected?: Expectation) => Submitted
  /** Milliseconds that the system needed after one fault. */
  readonly recovered: (ms: number) => void
  readonly cut: (connections: number) => void
  /** Something else that must not be. */
  readonly problem: (text: string) => void
  /** A figure for the table's last column. */
  readonly note: (text: string) => void
  /** Waits for every task's end, then looks at each. */
  readonly settle: () => Promise<Result>
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
  const there = new Set(events.map((event) => event.seq))
  const last = Math.max(0, ...there)
  return Array.from({ length: last }, (_, at) => at + 1).filter((seq) => !there.has(seq))
}

/** A tool's end or a finished text: what OpenCode's own messages contain must be reported once. */
const isTold = (message: Message, part: Part): boolean =>
  message.role === 'assistant' &&
  ((part.type === 'tool' && (part.state.status === 'completed' || part.state.status === 'error')) ||
    (part.type === 'text' &&
      !part.synthetic &&
      !part.ignored &&
      part.time?.end !== undefined &&
      part.text.trim() !== ''))

const tellsEndOf = (event: TaskEvent, partId: string): boolean =>
  event.data.part_id === partId && event.data.state !== 'running'

export const openLedger = (world: World, client: Client): Ledger => {
  const submitted: Submitted[] = []
  const recoveries: number[] = []
  const problems: string[] = []
  const notes: string[] = []
  const faults: Faults = { lost: [], runTwice: [], eventsLost: [], eventsDoubled: [] }
  let cuts = 0

  const adopt: Ledger['adopt'] = (id, work, expected = {}) => {
    const one = { id, work, expected, reader: followEvents(world.clientUrl, id) }
    submitted.push(one)
    return one
  }

  /** The numbers: none missing, none twice, in order, in the record and on the stream. */
  const judgeNumbers = (one: Submitted, record: readonly TaskEvent[]): void => {
    const { seen } = one.reader
    const name = `${one.work.token} (${one.id})`
    for (const seq of missing(record)) faults.eventsLost.push(`${name}: event ${seq} is not in the record`)
    for (const seq of repeated(record.map((event) => event.seq)))
      faults.eventsDoubled.push(`${name}: event ${seq} is in the record twice`)
    for (const seq of repeated(seen.map((event) => event.seq)))
      faults.eventsDoubled.push(`${name}: event ${seq} came twice on the stream`)
    const streamed = new Set(seen.map((event) => event.seq))
    for (const event of record)
      if (!streamed.has(event.seq)) faults.eventsLost.push(`${name}: event ${event.seq} did not come on the stream`)
    if (seen.some((event, at) => at > 0 && event.seq < (seen[at - 1]?.seq ?? 0)))
      faults.eventsDoubled.push(`${name}: the stream went backwards`)
  }

  /** Checks the session: prompted once with the description, and every finished part reported once. */
  const judgeSession = async (one: Submitted, task: Task, record: readonly TaskEvent[]): Promise<void> => {
    const { session_id, directory } = task
    if (session_id === null || directory === null) return
    const name = `${one.work.token} (${one.id})`
    const opencode = world.opencode.client(directory)
    const found = await until(
      `the messages of ${name}`,
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
        if (!isTold(info, part)) continue
        const told = record.filter((event) => tellsEndOf(event, part.id)).length
        if (told > 1) faults.eventsDoubled.push(`${name}: ${part.type} ${part.id} is reported ${told} times`)
        if (told === 0 && task.status === 'completed')
          faults.eventsLost.push(`${name}: ${part.type} ${part.id} is not reported`)
      }
    const { data: statuses } = await opencode.session.status()
    for (const [id, status] of Object.entries(statuses ?? {}))
      if (status.type !== 'idle') problems.push(`${name}: session ${id} is left ${status.type}`)
  }

  /** What was executed: each step at most once, and all of them where the task completed on a server that lived. */
  const judgeMarks = async (one: Submitted, task: Task, record: readonly TaskEvent[]): Promise<void> => {
    const name = `${one.work.token} (${one.id})`
    const text = await readFile(path.join(task.directory ?? '/nonexistent', RUNS_FILE), 'utf8').catch(() => '')
    const lines = text.split('\n').filter((line) => line !== '')
    for (const mark of repeated(lines)) faults.runTwice.push(`${name}: step ${mark} was executed twice`)
    if (one.expected.serverDied || task.status !== 'completed') return
    for (const mark of one.work.marks) {
      if (!lines.includes(mark)) faults.lost.push(`${name}: step ${mark} was not executed`)
      const told = record.filter(
        (event) => event.data.state === 'completed' && JSON.stringify(event.data.input ?? '').includes(mark),
      ).length
      if (told === 0) faults.eventsLost.push(`${name}: step ${mark} is not reported`)
      if (told > 1) faults.eventsDoubled.push(`${name}: step ${mark} is reported ${told} times`)
    }
  }

  const judgeRuns = (one: Submitted, task: Task, record: readonly TaskEvent[]): void => {
    const name = `${one.work.token} (${one.id})`
    const of = (type: TaskEvent['type']): number => record.filter((event) => event.type === type).length
    const ends = record.filter((event) => TERMINAL.has(event.type)).length
    if (ends !== 1) faults.runTwice.push(`${name}: ${ends} terminal events`)
    if (of('task_started') > 1) faults.runTwice.push(`${name}: started ${of('task_started')} times`)
    const first = world.model.requests.filter(
      (request) => request.kind === 'turn' && request.turn === 0 && request.session === task.session_id,
    ).length
    if (first > 1 && !one.expected.serverDied)
      faults.runTwice.push(`${name}: the model was asked for the first turn ${first} times`)
    const allowed = one.expected.recoveries ?? (one.expected.serverDied ? Number.POSITIVE_INFINITY : 0)
    const taken = of('task_recovered')
    if (taken > allowed) faults.runTwice.push(`${name}: its turn was taken up again ${taken} times, not ${allowed}`)
  }

  const judge = async (one: Submitted): Promise<void> => {
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
      (await within(
        one.reader.done.then(() => true),
        READER_MS,
      )) !== true
    ) {
      one.reader.close()
      faults.eventsLost.push(`${name}: the stream did not come to its end`)
    }
    const record = await client.events(one.id)
    judgeNumbers(one, record)
    judgeRuns(one, task, record)
    await judgeMarks(one, task, record)
    await judgeSession(one, task, record)
  }

  return {
    adopt,
    submit: async (work, expected = {}, more = {}) => {
      const task = await client.submit({
        task_description: work.description,
        ...more,
        idempotency_key: work.token,
      })
      return adopt(task.task_id, work, expected)
    },
    recovered: (ms) => void recoveries.push(ms),
    cut: (connections) => {
      cuts += connections
    },
    problem: (text) => void problems.push(text),
    note: (text) => void notes.push(text),
    settle: async () => {
      const waiting = [...submitted]
      const judgeNext = async (): Promise<void> => {
        for (let one = waiting.shift(); one; one = waiting.shift())
          await judge(one).catch((error: Error) => problems.push(error.message))
      }
      await Promise.all([judgeNext(), judgeNext(), judgeNext()])
      return { ...faults, submitted: submitted.length, recoveries, cuts, problems, notes }
    },
  }
}
