// Checks notifications: each event sent under one id, in order, and repeated only where a kill lost the answer.

import { AGENT_EVENT_TYPES, type EventType, QUIET_EVENT_TYPES } from '@switchyard/contracts'
import type { LettaServer, WebhookCall, WebhookReceiver } from '@switchyard/testing'
import type { Submitted } from './ledger.ts'
import type { World } from './world.ts'

type Row = {
  readonly id: string
  readonly task_id: string
  readonly seq: number
  readonly type: EventType
  readonly destination: string
  readonly state: string
  readonly failure: unknown
}

const readDeliveries = async (world: World, tasks: readonly Submitted[]): Promise<readonly Row[]> =>
  await world.postgres.query<Row>(
    'SELECT id, task_id, seq, type, destination, state, failure FROM deliveries WHERE task_id = ANY ($1) ORDER BY number',
    [tasks.map(({ id }) => id)],
  )

/** Those that have not arrived yet. */
export const undelivered = async (world: World, tasks: readonly Submitted[]): Promise<readonly Row[]> =>
  (await readDeliveries(world, tasks)).filter(({ state }) => state !== 'delivered')

type Told = {
  readonly receiver: WebhookReceiver
  readonly letta: LettaServer
  /** When the notifier was killed, ms since the epoch. */
  readonly kills: readonly number[]
}

/** The events that each destination receives. */
const TYPES: Readonly<Record<string, readonly EventType[]>> = { callback: QUIET_EVENT_TYPES, letta: AGENT_EVENT_TYPES }

/** A call is repeated rightly where a kill came after it, before its answer was written down. */
const isUnexplained = (calls: readonly WebhookCall[], kills: readonly number[]): boolean =>
  calls.slice(1).some((again, at) => {
    const before = calls[at]?.receivedAt ?? 0
    return !kills.some((kill) => before <= kill && kill <= again.receivedAt)
  })

const judgeTask = (one: Submitted, rows: readonly Row[], told: Told): readonly string[] => {
  const name = `${one.work.token} (${one.id})`
  const problems: string[] = []
  for (const [destination, types] of Object.entries(TYPES)) {
    const due = one.reader.seen.filter(({ type }) => types.includes(type)).map(({ seq }) => seq)
    const has = rows.filter((row) => row.destination === destination)
    if (JSON.stringify(has.map(({ seq }) => seq)) !== JSON.stringify(due))
      problems.push(`${name}: ${destination} has deliveries of the events ${has.map(({ seq }) => seq)}, not of ${due}`)
    for (const row of has.filter(({ state }) => state !== 'delivered'))
      problems.push(`${name}: ${row.type} to ${destination} is ${row.state}: ${JSON.stringify(row.failure)}`)
  }
  const calls = told.receiver.calls.filter(({ path }) => path === `/${one.work.token}`)
  const ids = [...new Set(calls.map(({ id }) => id))]
  const callbacks = rows.filter(({ destination }) => destination === 'callback').map(({ id }) => id)
  if (JSON.stringify(ids) !== JSON.stringify(callbacks))
    problems.push(
      `${name}: the webhook has ${ids.length} ids and not, in order, those of ${callbacks.length} deliveries`,
    )
  for (const id of ids) {
    const same = calls.filter((call) => call.id === id)
    if (isUnexplained(same, told.kills))
      problems.push(`${name}: ${id} came ${same.length} times, without a kill between`)
  }
  const messages = rows
    .filter(({ destination }) => destination === 'letta')
    .map(({ id }) => told.letta.messages.filter(({ otid }) => otid === id).length)
  if (messages.some((count) => count !== 1)) problems.push(`${name}: its agent has messages ${messages} times`)
  return problems
}

/** After everything was delivered. @returns what is wrong, and how many calls were repeated for a kill. */
export const judgeDeliveries = async (
  world: World,
  tasks: readonly Submitted[],
  told: Told,
): Promise<{ readonly problems: readonly string[]; readonly repeats: number }> => {
  const rows = await readDeliveries(world, tasks)
  const problems = tasks.flatMap((one) =>
    judgeTask(
      one,
      rows.filter(({ task_id }) => task_id === one.id),
      told,
    ),
  )
  const { calls } = told.receiver
  return {
    problems: [...problems, ...told.letta.faults.map((fault) => `Letta refused: ${fault}`)],
    repeats: calls.length - new Set(calls.map(({ id }) => id)).size,
  }
}
