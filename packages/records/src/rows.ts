// Rows as the wire's objects.

import type { Task, TaskEvent, TaskRequest } from '@switchyard/contracts'
import type { Selectable } from 'kysely'
import type { EventsTable, RequestsTable, TasksTable } from './schema.ts'

export type TaskRow = Selectable<TasksTable>
export type EventRow = Selectable<EventsTable>
export type RequestRow = Selectable<RequestsTable>

const iso = (time: Date): string => time.toISOString()
const isoOrNull = (time: Date | null): string | null => time?.toISOString() ?? null

const toRequest = (row: RequestRow): TaskRequest => ({
  request_id: row.id,
  task_id: row.task_id,
  kind: row.kind,
  session_id: row.session_id,
  title: row.title,
  permission: row.permission,
  patterns: [...row.patterns],
  questions: row.questions,
  created_at: iso(row.created_at),
  expires_at: iso(row.expires_at),
  default_reply: row.default_reply,
})

export const toTask = (row: TaskRow, requests: readonly RequestRow[]): Task => ({
  task_id: row.id,
  agent_id: row.agent_id,
  status: row.status,
  mode: row.mode,
  mode_reason: row.mode_reason,
  mode_detail: row.mode_detail,
  pool: row.pool,
  task_description: row.description,
  project_id: row.project_id,
  directory: row.directory,
  branch: row.branch,
  session_id: row.session_id,
  model: row.model,
  agent: row.agent,
  attempt: row.attempt,
  created_at: iso(row.created_at),
  updated_at: iso(row.updated_at),
  started_at: isoOrNull(row.started_at),
  completed_at: isoOrNull(row.completed_at),
  deadline: iso(row.deadline),
  result: row.result,
  error: row.error,
  requests: requests.map(toRequest),
  last_seq: row.last_seq,
  metadata: row.metadata,
})

export const toEvent = (row: Omit<EventRow, 'source_key' | 'position'>): TaskEvent => ({
  seq: row.seq,
  task_id: row.task_id,
  type: row.type,
  timestamp: iso(row.created_at),
  message: row.message,
  data: row.data,
})
