// Prepares deliveries at the moment of sending: reads their content and target from the database.

import type { WebhookCall } from '@switchyard/channels'
import type { MatrixNotification } from '@switchyard/channels/matrix'
import { type TaskId, WEBHOOK_TEST, type WebhookBody } from '@switchyard/contracts'
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
import { type LettaDelivery, prepareLettaDelivery } from './letta-delivery.ts'

/** What to send, or why it cannot be sent. */
export type PreparedDelivery =
  | { readonly kind: 'webhook'; readonly row: DeliveryRow; readonly call: WebhookCall }
  | ({ readonly row: DeliveryRow } & LettaDelivery)
  | { readonly kind: 'matrix'; readonly row: DeliveryRow; readonly notification: MatrixNotification }
  | {
      readonly kind: 'impossible'
      readonly row: DeliveryRow
      readonly code: 'event_gone' | 'endpoint_disabled' | 'secret_missing' | 'matrix_not_configured'
    }

type Target = Pick<WebhookCall, 'url' | 'secrets'> | Extract<PreparedDelivery, { kind: 'impossible' }>['code']

const endpointTarget = (destination: DestinationRow | undefined): Target =>
  destination === undefined || destination.disabled_at !== null
    ? 'endpoint_disabled'
    : { url: destination.url, secrets: signingSecrets(destination) }

const testBody = (row: DeliveryRow): WebhookBody => ({
  type: WEBHOOK_TEST,
  timestamp: row.created_at.toISOString(),
  data: { webhook_id: row.destination, message: 'This is a test. It does not belong to a task.' },
})

/**
 * Prepares deliveries, in the order of the rows.
 *
 * @param callbackSecret - signs the calls to a `callback_url`.
 */
export const prepareDeliveries = async (
  records: Records,
  rows: readonly DeliveryRow[],
  callbackSecret: string | undefined,
): Promise<readonly PreparedDelivery[]> => {
  const { db } = records
  const taskIds = [...new Set(rows.flatMap((row): TaskId[] => (row.task_id === null ? [] : [row.task_id])))]
  const destinationIds = [...new Set(rows.map((row) => row.destination))]
  const [taskRows, events, destinations, views] = await Promise.all([
    findTaskRows(db, taskIds),
    readDeliveredEvents(db, rows),
    findDestinations(
      db,
      destinationIds.filter((id) => id !== CALLBACK && id !== LETTA),
    ),
    readAgentViews(db, destinationIds.includes(LETTA) ? taskIds : []),
  ])
  const tasks = new Map((await toRecords(db, taskRows)).map((task) => [task.task_id, task]))
  const callbackUrls = new Map(taskRows.map((row) => [row.id, row.callback_url]))
  const observers = new Map(taskRows.map((row) => [row.id, row.observers]))
  const destinationsById = new Map<string, DestinationRow>(destinations.map((row) => [row.id, row]))

  const callbackTarget = (id: TaskId | null): Target => {
    const url = id === null ? undefined : callbackUrls.get(id)
    if (!url) return 'event_gone'
    return callbackSecret === undefined ? 'secret_missing' : { url, secrets: [callbackSecret] }
  }
  const contentOf = (row: DeliveryRow) => {
    const task = row.task_id === null ? undefined : tasks.get(row.task_id)
    const event = events.get(`${row.task_id} ${row.seq}`)
    return task && event && { task, event }
  }
  const webhookBody = (row: DeliveryRow): WebhookBody | undefined => {
    if (row.task_id === null) return testBody(row)
    const data = contentOf(row)
    return data && { type: data.event.type, timestamp: data.event.timestamp, data }
  }
  const prepareMatrix = (row: DeliveryRow, { disabled_at }: DestinationRow): PreparedDelivery => {
    if (disabled_at !== null) return { kind: 'impossible', row, code: 'matrix_not_configured' }
    const content = contentOf(row)
    if (!content) return { kind: 'impossible', row, code: 'event_gone' }
    const notification = { id: row.id, ...content, observers: observers.get(content.task.task_id) ?? [] }
    return { kind: 'matrix', row, notification }
  }
  return rows.map((row): PreparedDelivery => {
    if (row.destination === LETTA && row.task_id !== null) {
      const content = contentOf(row)
      if (!content) return { kind: 'impossible', row, code: 'event_gone' }
      return { row, ...prepareLettaDelivery(row, content.task, content.event, views.get(row.task_id)) }
    }
    const destination = destinationsById.get(row.destination)
    if (destination?.kind === 'matrix') return prepareMatrix(row, destination)
    const body = webhookBody(row)
    const target = row.destination === CALLBACK ? callbackTarget(row.task_id) : endpointTarget(destination)
    if (body === undefined) return { kind: 'impossible', row, code: 'event_gone' }
    if (typeof target === 'string') return { kind: 'impossible', row, code: target }
    return { kind: 'webhook', row, call: { id: row.id, body, ...target } }
  })
}
