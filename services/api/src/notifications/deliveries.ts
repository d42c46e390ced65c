// What was told to whom: lists of deliveries, and sending one again.

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

const toNumber = (cursor: string): number => {
  const text = Buffer.from(cursor, 'base64url').toString('utf8')
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new SwitchyardError('invalid_request', 'cursor: is not one that a list gave', {
    context: { errors: [{ path: 'cursor', message: 'is not one that a list gave' }] },
  })
}

/** Newest first. An agent's key sees those to its own destinations: its tasks' callback URLs, its webhooks. */
export const deliveries = async (records: Records, caller: Caller, query: DeliveryQuery): Promise<DeliveryList> => {
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
      before: cursor === undefined ? null : toNumber(cursor),
    },
  )
  const next = page.next === null ? null : Buffer.from(String(page.next)).toString('base64url')
  return { deliveries: [...page.deliveries], next_cursor: next }
}

/**
 * Has a delivery sent again, under the same id.
 *
 * @throws SwitchyardError `delivery_not_found`, `already_delivered`, `database_unavailable`
 */
export const retry = async (records: Records, caller: Caller, id: string): Promise<Delivery> => {
  const found = await findDelivery(records.db, id)
  if (!found || !mayAccess(caller, found.owner_key))
    throw new SwitchyardError('delivery_not_found', `there is no delivery ${id.slice(0, 60)}`)
  const row = await retryDelivery(records.db, found.id)
  if (!row) throw new SwitchyardError('already_delivered', `${found.id} was delivered`)
  return toDelivery(row)
}
