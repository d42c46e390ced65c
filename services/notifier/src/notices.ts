// What a delivery says and where to, put together from the record at the moment of sending.

import type { WebhookCall } from '@switchyard/channels'
import type { TaskId, WebhookBody } from '@switchyard/contracts'
import { WEBHOOK_TEST } from '@switchyard/contracts'
import {
  CALLBACK,
  type DeliveryRow,
  type DestinationRow,
  findDestinations,
  findTaskRows,
  LETTA,
  type Records,
  readAgentViews,
  readDeliveredEvents,
  signingSecrets,
  toRecords,
} from '@switchyard/records'
import { type AgentNotice, agentNotice } from './agent-notice.ts'

/** A call to make, or why there is none. */
export type Notice =
  | { readonly kind: 'call'; readonly row: DeliveryRow; readonly call: WebhookCall }
  | ({ readonly row: DeliveryRow } & AgentNotice)
  | {
      readonly kind: 'none'
      readonly row: DeliveryRow
      readonly code: 'event_gone' | 'endpoint_disabled' | 'secret_missing'
    }

type Target = Pick<WebhookCall, 'url' | 'secrets'> | Extract<Notice, { kind: 'none' }>['code']

const targetOf = (destination: DestinationRow | undefined): Target =>
  destination === undefined || destination.disabled_at !== null
    ? 'endpoint_disabled'
    : { url: destination.url, secrets: signingSecrets(destination) }

const testBody = (row: DeliveryRow): WebhookBody => ({
  type: WEBHOOK_TEST,
  timestamp: row.created_at.toISOString(),
  data: { webhook_id: row.destination, message: 'This is a test: no task is behind it.' },
})

/** The notices of deliveries, in their order. @param callbackSecret - signs calls of `callback_url`. */
export const readNotices = async (
  records: Records,
  rows: readonly DeliveryRow[],
  callbackSecret: string | undefined,
): Promise<readonly Notice[]> => {
  const { db } = records
  const taskIds = [...new Set(rows.flatMap((row): TaskId[] => (row.task_id === null ? [] : [row.task_id])))]
  const named = [...new Set(rows.map((row) => row.destination))]
  const [taskRows, events, destinations, views] = await Promise.all([
    findTaskRows(db, taskIds),
    readDeliveredEvents(db, rows),
    findDestinations(
      db,
      named.filter((id) => id !== CALLBACK && id !== LETTA),
    ),
    readAgentViews(db, named.includes(LETTA) ? taskIds : []),
  ])
  const tasks = new Map((await toRecords(db, taskRows)).map((task) => [task.task_id, task]))
  const callbacks = new Map(taskRows.map((row) => [row.id, row.callback_url]))
  const byId = new Map<string, DestinationRow>(destinations.map((row) => [row.id, row]))

  const callbackOf = (id: TaskId | null): Target => {
    const url = id === null ? undefined : callbacks.get(id)
    if (!url) return 'event_gone'
    return callbackSecret === undefined ? 'secret_missing' : { url, secrets: [callbackSecret] }
  }
  const bodyOf = (row: DeliveryRow): WebhookBody | undefined => {
    if (row.task_id === null) return testBody(row)
    const [task, event] = [tasks.get(row.task_id), events.get(`${row.task_id} ${row.seq}`)]
    return task && event && { type: event.type, timestamp: event.timestamp, data: { task, event } }
  }
  return rows.map((row): Notice => {
    if (row.destination === LETTA && row.task_id !== null) {
      const [task, event] = [tasks.get(row.task_id), events.get(`${row.task_id} ${row.seq}`)]
      if (!task || !event) return { kind: 'none', row, code: 'event_gone' }
      return { row, ...agentNotice(row, task, event, views.get(row.task_id)) }
    }
    const body = bodyOf(row)
    const target = row.destination === CALLBACK ? callbackOf(row.task_id) : targetOf(byId.get(row.destination))
    if (body === undefined) return { kind: 'none', row, code: 'event_gone' }
    if (typeof target === 'string') return { kind: 'none', row, code: target }
    return { kind: 'call', row, call: { id: row.id, body, ...target } }
  })
}
