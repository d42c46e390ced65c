// The worker_calls table: requests from the api to workers, and their answers.

import {
  type CallId,
  type CallTarget,
  type SwitchyardError,
  toSwitchyardError,
  type WorkerId,
} from '@switchyard/contracts'
import { type Selectable, sql } from 'kysely'
import { guarded } from './errors.ts'
import { toJson } from './json.ts'
import type { CallFailure, CallsTable, Db } from './schema.ts'
import { WORKER_SILENCE_MS } from './tasks.ts'

export type CallRow = Selectable<CallsTable>

/** Adds a call. @param takenWithinMs - a call that no worker takes within this time expires. */
export const addCall = guarded(
  async (
    db: Db,
    call: { id: CallId; kind: string; target: CallTarget; args: unknown },
    takenWithinMs: number,
  ): Promise<void> => {
    await db
      .insertInto('worker_calls')
      .values({
        ...call,
        args: toJson(call.args),
        expires_at: sql`now() + ${takenWithinMs} * interval '1 millisecond'`,
      })
      .execute()
  },
)

/** Takes calls that wait, and those whose worker is gone: each is safe to repeat. */
export const takeCalls = guarded(
  async (db: Db, workerId: WorkerId, targets: readonly CallTarget[], limit: number): Promise<readonly CallRow[]> => {
    const { rows } = await sql<CallRow>`
      UPDATE worker_calls SET state = 'taken', worker_id = ${workerId}
      WHERE id IN (
        SELECT id FROM worker_calls
        WHERE ended_at IS NULL AND target = ANY (${targets}) AND (
          (state = 'waiting' AND expires_at > now())
          OR (state = 'taken' AND NOT EXISTS (SELECT 1 FROM workers
            WHERE workers.id = worker_id AND heartbeat_at > now() - ${WORKER_SILENCE_MS} * interval '1 millisecond')))
        ORDER BY created_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ) RETURNING *`.execute(db)
    return rows
  },
)

export type Answer = { readonly result: unknown } | { readonly error: SwitchyardError }

const toFailure = ({ code, message, hint, retryable, context }: SwitchyardError): CallFailure => ({
  code,
  message,
  hint,
  retryable,
  context,
})

/** An answer of a worker that has lost the call to another changes nothing. */
export const answerCall = guarded(async (db: Db, id: CallId, workerId: WorkerId, answer: Answer): Promise<void> => {
  const ended =
    'error' in answer
      ? { state: 'failed' as const, error: toJson(toFailure(toSwitchyardError(answer.error))) }
      : { state: 'done' as const, result: toJson(answer.result) }
  await db
    .updateTable('worker_calls')
    .set({ ...ended, ended_at: sql<Date>`now()` })
    .where('id', '=', id)
    .where('worker_id', '=', workerId)
    .where('ended_at', 'is', null)
    .execute()
})

export const readCall = guarded(
  async (db: Db, id: CallId): Promise<Pick<CallRow, 'state' | 'result' | 'error'> | undefined> =>
    db.selectFrom('worker_calls').select(['state', 'result', 'error']).where('id', '=', id).executeTakeFirst(),
)

/** The answer was read, or nobody waits for it any more. */
export const deleteCall = guarded(async (db: Db, id: CallId): Promise<void> => {
  await db.deleteFrom('worker_calls').where('id', '=', id).where('state', '<>', 'taken').execute()
})

/** Deletes answers that nobody read, and calls that nobody took. */
export const deleteOldCalls = guarded(async (db: Db, keptMs: number): Promise<void> => {
  const before = sql<Date>`now() - ${keptMs} * interval '1 millisecond'`
  await db
    .deleteFrom('worker_calls')
    .where((eb) =>
      eb.or([eb('ended_at', '<', before), eb.and([eb('state', '=', 'waiting'), eb('expires_at', '<', before)])]),
    )
    .execute()
})
