// The destinations table: webhook endpoints, who may see them, and their secrets.

import type { EventType, Webhook, WebhookId } from '@switchyard/contracts'
import { type Insertable, type Selectable, sql } from 'kysely'
import { guarded } from './errors.ts'
import { storable } from './json.ts'
import type { ChannelId, Db, DestinationsTable } from './schema.ts'

export type DestinationRow = Selectable<DestinationsTable>

export type NewDestination = Pick<
  Insertable<DestinationsTable>,
  | 'id'
  | 'owner_key'
  | 'sees_all'
  | 'url'
  | 'description'
  | 'event_types'
  | 'agent_id'
  | 'project_id'
  | 'progress_interval_ms'
  | 'escalation'
  | 'secret'
>

export const toWebhook = (row: DestinationRow): Webhook => {
  const previousEnds = row.previous_secret_expires_at
  return {
    webhook_id: row.id,
    url: row.url,
    description: row.description,
    event_types: [...row.event_types],
    agent_id: row.agent_id,
    project_id: row.project_id,
    progress_interval_ms: row.progress_interval_ms,
    escalation: row.escalation,
    enabled: row.disabled_at === null,
    disabled_reason: row.disabled_reason,
    created_at: row.created_at.toISOString(),
    previous_secret_expires_at: previousEnds && previousEnds > new Date() ? previousEnds.toISOString() : null,
  }
}

/** The secrets that sign now, the newest first. */
export const signingSecrets = (row: DestinationRow): readonly string[] => {
  const { secret, previous_secret: previous, previous_secret_expires_at: ends } = row
  return previous !== null && ends !== null && ends > new Date() ? [secret, previous] : [secret]
}

export const createDestination = guarded(
  async (db: Db, input: NewDestination): Promise<DestinationRow> =>
    db
      .insertInto('destinations')
      .values({ ...input, kind: 'webhook', description: input.description && storable(input.description) })
      .returningAll()
      .executeTakeFirstOrThrow(),
)

/** The webhooks, newest first. @param ownerKey - only this key's; undefined: everyone's. */
export const listDestinations = guarded(
  async (db: Db, ownerKey: string | undefined): Promise<readonly DestinationRow[]> => {
    let query = db.selectFrom('destinations').selectAll().where('kind', '=', 'webhook').orderBy('id', 'desc')
    if (ownerKey !== undefined) query = query.where('owner_key', '=', ownerKey)
    return await query.execute()
  },
)

export const findDestinations = guarded(
  async (db: Db, ids: readonly string[]): Promise<readonly DestinationRow[]> =>
    ids.length === 0
      ? []
      : db
          .selectFrom('destinations')
          .selectAll()
          .where('id', 'in', ids as readonly WebhookId[])
          .execute(),
)

/** A new secret; the one before signs as well for `keptMs`. */
export const rotateSecret = guarded(
  async (db: Db, id: DestinationRow['id'], secret: string, keptMs: number): Promise<DestinationRow> =>
    db
      .updateTable('destinations')
      .set((eb) => ({
        secret,
        previous_secret: eb.ref('secret'),
        previous_secret_expires_at: sql<Date>`now() + ${keptMs} * interval '1 millisecond'`,
      }))
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow(),
)

/** @param reason - why it is disabled; null enables it. */
export const setDisabled = guarded(
  async (db: Db, id: DestinationRow['id'], reason: string | null): Promise<DestinationRow> =>
    db
      .updateTable('destinations')
      .set({ disabled_at: reason === null ? null : sql<Date>`now()`, disabled_reason: reason })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow(),
)

/** Deletes an endpoint, and what still waits to be sent to it. */
export const deleteDestination = guarded(async (db: Db, id: DestinationRow['id']): Promise<void> => {
  await sql`
    WITH gone AS (DELETE FROM destinations WHERE id = ${id}),
    breaker AS (DELETE FROM delivery_lanes WHERE lane = ${id})
    DELETE FROM deliveries WHERE destination = ${id} AND lane = ${id} AND state = 'pending'`.execute(db)
})

/** A delivery of no task, by which an endpoint is tried out. @returns its id. */
export const addTestDelivery = guarded(async (db: Db, row: DestinationRow, type: string): Promise<string> => {
  const { id } = await db
    .insertInto('deliveries')
    .values({ task_id: null, seq: null, type, destination: row.id, lane: row.id, owner_key: row.owner_key })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
})

/** A channel has no owner: no key has an empty name, so only operators see its deliveries. */
const NOBODY = ''

export type ChannelRules = { readonly eventTypes: readonly EventType[]; readonly progressIntervalMs: number }

/** Creates and enables a channel that the environment configures; tasks are reported there from now on. */
export const switchChannelOn = guarded(async (db: Db, id: ChannelId, rules: ChannelRules): Promise<void> => {
  const chosen = { event_types: [...rules.eventTypes], progress_interval_ms: rules.progressIntervalMs }
  await db
    .insertInto('destinations')
    .values({ id, kind: id, owner_key: NOBODY, sees_all: true, url: '', escalation: false, secret: '', ...chosen })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ ...chosen, disabled_at: null, disabled_reason: null }),
    )
    .execute()
})

/** Disables a channel that the environment no longer configures. Pending deliveries are dead at their next attempt. */
export const switchChannelOff = guarded(async (db: Db, id: ChannelId, reason: string): Promise<void> => {
  await db
    .updateTable('destinations')
    .set({ disabled_at: sql<Date>`now()`, disabled_reason: reason })
    .where('id', '=', id)
    .where('disabled_at', 'is', null)
    .execute()
})
