// Everything a caller can do with tasks, for both REST and MCP.

import {
  type ExecuteTask,
  type FileContent,
  type FileList,
  isTerminal,
  LIMITS,
  type Replied,
  type Reply,
  type SendControl,
  type SendMessage,
  type SentControl,
  type SentMessage,
  SwitchyardError,
  type Task,
  type TaskDiff,
  type TaskEvent,
} from '@switchyard/contracts'
import { readEvents, readLastEvents, type TaskRow, toRecords, toTask } from '@switchyard/records'
import type { FilePart } from '@switchyard/worker-calls'
import type { Caller } from '../access/caller.ts'
import { findAccessibleTask } from '../access/tasks.ts'
import { openTaskEventStream } from '../task-events/event-stream.ts'
import { type AcceptedTask, accept } from './accept.ts'
import { recordAgentRead, trackAgentCall } from './agent-reads.ts'
import type { TaskDeps } from './deps.ts'
import { type ListQuery, list, type TaskList } from './list.ts'
import { control, message, reply } from './steering.ts'
import { waitForTask } from './wait-for-task.ts'
import { content, diff, files } from './workspace.ts'

type Signal = AbortSignal | undefined

export type EventPage = { readonly events: TaskEvent[]; readonly last_seq: number; readonly has_more: boolean }

/** Refuses a read of events that retention has deleted, instead of returning a gap. */
const requireRetained = (row: TaskRow, after: number): void => {
  if (after >= row.events_pruned_to) return
  throw new SwitchyardError(
    'events_expired',
    `the events of ${row.id} up to number ${row.events_pruned_to} were deleted after the retention period`,
    { hint: `Read with after=${row.events_pruned_to}; later events and the record are still stored.` },
  )
}

export class TaskService {
  readonly #deps: TaskDeps

  constructor(deps: TaskDeps) {
    this.#deps = deps
  }

  /** Accepts a task and returns its record; with `sync` or `wait_ms` the record after the wait. @throws as `accept` */
  async accept(caller: Caller, input: ExecuteTask, signal: Signal): Promise<AcceptedTask> {
    const accepted = await accept(this.#deps, caller, input)
    const waitMs = input.wait_ms ?? (input.sync ? LIMITS.maxWaitMs : 0)
    if (waitMs === 0) return accepted
    const { task } = accepted
    const waited = await trackAgentCall(this.#deps, caller, task, caller.name, waitMs, signal, () =>
      waitForTask(this.#deps, task.task_id, waitMs, signal),
    )
    return { ...accepted, task: waited ?? task }
  }

  /**
   * Returns the record of a task.
   *
   * @param waitMs - how long to wait for the task to end or to need input, ms; the maximum is `LIMITS.maxWaitMs`
   * @throws SwitchyardError `task_not_found`, `database_unavailable`
   */
  async get(caller: Caller, id: string, waitMs: number, signal: Signal): Promise<Task> {
    const row = await findAccessibleTask(this.#deps.records, caller, id)
    if (waitMs === 0) {
      const record = await this.#record(row)
      await recordAgentRead(this.#deps, caller, record)
      return record
    }
    const known = toTask(row, [])
    const task = await trackAgentCall(this.#deps, caller, known, row.owner_key, waitMs, signal, () =>
      waitForTask(this.#deps, row.id, waitMs, signal),
    )
    return task ?? known
  }

  async #record(row: TaskRow): Promise<Task> {
    const [task] = await toRecords(this.#deps.records.db, [row])
    return task ?? toTask(row, [])
  }

  async list(caller: Caller, query: ListQuery, waitingFirst: boolean): Promise<TaskList> {
    return await list(this.#deps, caller, query, waitingFirst)
  }

  /** Returns events after `after`, in order. @throws SwitchyardError `task_not_found`, `events_expired`, `database_unavailable` */
  async events(caller: Caller, id: string, after: number, limit: number): Promise<EventPage> {
    const { records } = this.#deps
    const row = await findAccessibleTask(records, caller, id)
    requireRetained(row, after)
    const events = [...(await readEvents(records.db, row.id, { after, limit }))]
    const last = events.at(-1)?.seq ?? after
    const lastSeq = Math.max(row.last_seq, events.at(-1)?.seq ?? 0)
    return { events, last_seq: lastSeq, has_more: last < lastSeq }
  }

  /** Returns the last `count` events in order. Does not check access; the caller must have read `task` already. */
  async lastEvents(task: Task, count: number): Promise<TaskEvent[]> {
    return [...(await readLastEvents(this.#deps.records.db, task.task_id, count))]
  }

  /**
   * Returns the events after `after` as server-sent events, up to the terminal one; null when the reader has that one.
   *
   * @param disconnect - closes the connection of a reader that has stopped reading
   * @throws SwitchyardError `task_not_found`, `invalid_request`, `events_expired`, `database_unavailable`
   */
  async stream(
    caller: Caller,
    id: string,
    after: number,
    disconnect: () => void,
  ): Promise<ReadableStream<Uint8Array> | null> {
    const { records, feeds, metrics, logger } = this.#deps
    const row = await findAccessibleTask(records, caller, id)
    if (after > row.last_seq)
      throw new SwitchyardError(
        'invalid_request',
        `event ${after} does not exist yet; the last event is ${row.last_seq}`,
      )
    if (after === row.last_seq && isTerminal(row.status)) return null
    requireRetained(row, after)
    return await openTaskEventStream({ id: row.id, after, feeds, metrics, logger, disconnect })
  }

  async message(caller: Caller, id: string, input: SendMessage, signal: Signal): Promise<SentMessage> {
    return await message(this.#deps, caller, id, input, signal)
  }

  async control(caller: Caller, id: string, input: SendControl, signal: Signal): Promise<SentControl> {
    const sent = await control(this.#deps, caller, id, input, signal)
    // An agent that has just cancelled its task does not need a notification that it has ended.
    if (caller.agentId !== undefined && isTerminal(sent.status)) {
      const row = await findAccessibleTask(this.#deps.records, caller, sent.task_id)
      await recordAgentRead(this.#deps, caller, await this.#record(row))
    }
    return sent
  }

  async reply(caller: Caller, id: string, requestId: string, input: Reply): Promise<Replied> {
    return await reply(this.#deps, caller, id, requestId, input)
  }

  async files(caller: Caller, id: string, path: string, signal: Signal): Promise<FileList> {
    return await files(this.#deps, caller, id, path, signal)
  }

  async content(caller: Caller, id: string, path: string, part: FilePart, signal: Signal): Promise<FileContent> {
    return await content(this.#deps, caller, id, path, part, signal)
  }

  async diff(caller: Caller, id: string, signal: Signal): Promise<TaskDiff> {
    return await diff(this.#deps, caller, id, signal)
  }
}
