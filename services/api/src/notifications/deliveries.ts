// Lists deliveries and retries them.

import { type Delivery, type DeliveryState, LIMITS, SwitchyardError } from '@switchyard/contracts'
import { findDelivery, listDeliveries, type Records, retryDelivery, toDelivery } from '@switchyard/records'
import { type Caller, mayAccess, ownerFilter } from '../access/caller.ts'

const DEFAULT_PAGE = 50

export type DeliveryQuery = {
  readonly state?: DeliveryState | undefined
  readonly task_id?: string | undefined
  readonly destination?: string | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export type DeliveryList = { readonly deliveries: Delivery[]; readonly next_cursor: string | null }

const parseCursor = (cursor: string): number => {
  const text = Buffer.from(cursor, 'base64url').toString('utf8')
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new SwitchyardError('invalid_request', 'cursor: is not a next_cursor of a list', {
    context: { errors: [{ path: 'cursor', message: 'is not a next_cursor of a list' }] },
  })
}

/**
 * Returns deliveries, newest first. An agent sees those to its own destinations: the callback URLs of its tasks and its
 * webhooks.
 */
export const findDeliveries = async (records: Records, caller: Caller, query: DeliveryQuery): Promise<DeliveryList> => {
  const { state, task_id, destination, cursor } = query
  const page = await listDeliveries(
    records.db,
    {
      ...ownerFilter(caller),
      ...(state === undefined ? {} : { state }),
      ...(task_id === undefined ? {} : { task_id }),
      ...(destination === undefined ? {} : { destination }),
    },
    {
      limit: Math.min(query.limit ?? DEFAULT_PAGE, LIMITS.listPage),
      before: cursor === undefined ? null : parseCursor(cursor),
    },
  )
  const next = page.next === null ? null : Buffer.from(String(page.next)).toString('base64url')
  return { deliveries: [...page.deliveries], next_cursor: next }
}

/**
 * Schedules a delivery again, with the same id.
 *
 * @throws SwitchyardError `delivery_not_found`, `already_delivered`, `database_unavailable`
 */
export const retry = async (records: Records, caller: Caller, id: string): Promise<Delivery> => {
  const found = await findDelivery(records.db, id)
  if (!found || !mayAccess(caller, found.owner_key))
    throw new SwitchyardError('delivery_not_found', `delivery ${id.slice(0, 60)} does not exist`)
  const row = await retryDelivery(records.db, found.id)
  if (!row) throw new SwitchyardError('already_delivered', `${found.id} was delivered already`)
  return toDelivery(row)
}
