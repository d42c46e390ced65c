// Checks notifications: each event is sent under one id, in order, and repeated only if the
// notifier was killed before it recorded the answer.

import { AGENT_EVENT_TYPES, type EventType, QUIET_EVENT_TYPES } from '@switchyard/contracts'
import type { LettaServer, WebhookCall, WebhookReceiver } from '@switchyard/testing'
import type { TestSystem } from './system.ts'
import type { Submitted } from './task-verifier.ts'

type Row = {
  readonly id: string
  readonly task_id: string
  readonly seq: number
  readonly type: EventType
  readonly destination: string
  readonly state: string
  readonly failure: unknown
}

const readDeliveries = async (system: TestSystem, tasks: readonly Submitted[]): Promise<readonly Row[]> =>
  await system.postgres.query<Row>(
    'SELECT id, task_id, seq, type, destination, state, failure FROM deliveries WHERE task_id = ANY ($1) ORDER BY number',
    [tasks.map(({ id }) => id)],
  )

/** Returns the deliveries that have not arrived yet. */
export const findUndelivered = async (system: TestSystem, tasks: readonly Submitted[]): Promise<readonly Row[]> =>
  (await readDeliveries(system, tasks)).filter(({ state }) => state !== 'delivered')

type Destinations = {
  readonly receiver: WebhookReceiver
  readonly letta: LettaServer
  /** Times at which the notifier was killed, ms since the epoch. */
  readonly kills: readonly number[]
}

/** The events that each destination receives. */
const TYPES: Readonly<Record<string, readonly EventType[]>> = { callback: QUIET_EVENT_TYPES, letta: AGENT_EVENT_TYPES }

/** Returns whether a call was repeated without a kill between the two. */
const isUnexplained = (calls: readonly WebhookCall[], kills: readonly number[]): boolean =>
  calls.slice(1).some((again, at) => {
    const before = calls[at]?.receivedAt ?? 0
    return !kills.some((kill) => before <= kill && kill <= again.receivedAt)
  })

const checkTask = (one: Submitted, rows: readonly Row[], destinations: Destinations): readonly string[] => {
  const name = `${one.work.token} (${one.id})`
  const problems: string[] = []
  for (const [destination, types] of Object.entries(TYPES)) {
    const due = one.reader.events.filter(({ type }) => types.includes(type)).map(({ seq }) => seq)
    const has = rows.filter((row) => row.destination === destination)
    if (JSON.stringify(has.map(({ seq }) => seq)) !== JSON.stringify(due))
      problems.push(`${name}: ${destination} has deliveries of events ${has.map(({ seq }) => seq)}, expected ${due}`)
    for (const row of has.filter(({ state }) => state !== 'delivered'))
      problems.push(`${name}: ${row.type} to ${destination} is ${row.state}: ${JSON.stringify(row.failure)}`)
  }
  const calls = destinations.receiver.calls.filter(({ path }) => path === `/${one.work.token}`)
  const ids = [...new Set(calls.map(({ id }) => id))]
  const callbacks = rows.filter(({ destination }) => destination === 'callback').map(({ id }) => id)
  if (JSON.stringify(ids) !== JSON.stringify(callbacks))
    problems.push(
      `${name}: the webhook received ${ids.length} ids, which are not those of ${callbacks.length} deliveries in order`,
    )
  for (const id of ids) {
    const same = calls.filter((call) => call.id === id)
    if (isUnexplained(same, destinations.kills))
      problems.push(`${name}: ${id} was sent ${same.length} times without a kill in between`)
  }
  const messages = rows
    .filter(({ destination }) => destination === 'letta')
    .map(({ id }) => destinations.letta.messages.filter(({ otid }) => otid === id).length)
  if (messages.some((count) => count !== 1))
    problems.push(`${name}: its agent has the messages ${messages} times, expected once each`)
  return problems
}

/**
 * Checks the deliveries of tasks after everything was delivered.
 *
 * @returns the problems, and the number of calls that were repeated after a kill
 */
export const checkDeliveries = async (
  system: TestSystem,
  tasks: readonly Submitted[],
  destinations: Destinations,
): Promise<{ readonly problems: readonly string[]; readonly repeats: number }> => {
  const rows = await readDeliveries(system, tasks)
  const problems = tasks.flatMap((one) =>
    checkTask(
      one,
      rows.filter(({ task_id }) => task_id === one.id),
      destinations,
    ),
  )
  const { calls } = destinations.receiver
  return {
    problems: [...problems, ...destinations.letta.faults.map((fault) => `Letta rejected a call: ${fault}`)],
    repeats: calls.length - new Set(calls.map(({ id }) => id)).size,
  }
}
