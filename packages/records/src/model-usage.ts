// The model_usage table: requests and tokens per session, as the model gateway counted them.

import type { TaskId } from '@switchyard/contracts'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import { toJson } from './json.ts'
import type { Db, ModelUsageTable } from './schema.ts'

/** What was used since the last write. `session_id` is empty where a request named none. */
export type ModelUsage = Omit<ModelUsageTable, 'task_id' | 'first_at' | 'last_at'>

/** Input includes the cache, output includes reasoning. */
export type TaskModelUsage = Pick<
  ModelUsageTable,
  'provider' | 'model' | 'requests' | 'failed_requests' | 'input_tokens' | 'output_tokens' | 'reasoning_tokens'
>

/**
 * Adds to the sums of sessions. A session counts for a task if it is the task's own session, or one below it, on the server
 * whose token the requests had: an agent can name any session in its requests, but it has the token of its own server only.
 */
export const recordModelUsage = guarded(async (db: Db, usage: readonly ModelUsage[]): Promise<void> => {
  await sql`
    INSERT INTO model_usage AS known (
      server_id, session_id, provider, model, parent_session_id, task_id, requests, failed_requests,
      input_tokens, output_tokens, reasoning_tokens, cache_read_tokens, cache_write_tokens)
    SELECT u.server_id, u.session_id, u.provider, u.model, u.parent_session_id,
      coalesce(
        (SELECT id FROM tasks t WHERE t.session_id = u.session_id AND t.server_id = u.server_id LIMIT 1),
        (SELECT id FROM tasks t WHERE t.session_id = u.parent_session_id AND t.server_id = u.server_id LIMIT 1),
        (SELECT task_id FROM model_usage m WHERE m.session_id = u.parent_session_id AND m.server_id = u.server_id
          AND m.task_id IS NOT NULL LIMIT 1)),
      u.requests, u.failed_requests, u.input_tokens, u.output_tokens, u.reasoning_tokens, u.cache_read_tokens,
      u.cache_write_tokens
    FROM jsonb_to_recordset(${toJson(usage)}::jsonb) AS u (
      server_id text, session_id text, provider text, model text, parent_session_id text, requests bigint,
      failed_requests bigint, input_tokens bigint, output_tokens bigint, reasoning_tokens bigint,
      cache_read_tokens bigint, cache_write_tokens bigint)
    ON CONFLICT (session_id, server_id, provider, model) DO UPDATE SET
      task_id = coalesce(known.task_id, excluded.task_id),
      requests = known.requests + excluded.requests,
      failed_requests = known.failed_requests + excluded.failed_requests,
      input_tokens = known.input_tokens + excluded.input_tokens,
      output_tokens = known.output_tokens + excluded.output_tokens,
      reasoning_tokens = known.reasoning_tokens + excluded.reasoning_tokens,
      cache_read_tokens = known.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = known.cache_write_tokens + excluded.cache_write_tokens,
      last_at = now()`.execute(db)
})

/** Returns what a task and its subagents used, per provider and model. */
export const usageOfTask = guarded(async (db: Db, taskId: TaskId): Promise<readonly TaskModelUsage[]> => {
  const { rows } = await sql<TaskModelUsage>`
    SELECT provider, model, sum(requests)::float8 AS requests, sum(failed_requests)::float8 AS failed_requests,
      sum(input_tokens)::float8 AS input_tokens, sum(output_tokens)::float8 AS output_tokens,
      sum(reasoning_tokens)::float8 AS reasoning_tokens
    FROM model_usage WHERE task_id = ${taskId} GROUP BY provider, model ORDER BY provider, model`.execute(db)
  return rows
})

/** Deletes old sums that belong to no task. Those of a task are deleted with it. */
export const deleteOldUsage = guarded(async (db: Db, keptMs: number): Promise<void> => {
  await sql`DELETE FROM model_usage
    WHERE task_id IS NULL AND last_at < now() - ${keptMs} * interval '1 millisecond'`.execute(db)
})
