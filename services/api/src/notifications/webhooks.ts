// Webhook endpoints: made, tried out, given a new secret, switched off and on, deleted. A secret is shown when it is made.

import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Delivery,
  type NewWebhook,
  newWebhookId,
  PROGRESS_INTERVAL_MS,
  QUIET_EVENT_TYPES,
  SwitchyardError,
  WEBHOOK_TEST,
  type Webhook,
  type WebhookWithSecret,
} from '@switchyard/contracts'
import {
  addTestDelivery,
  createDestination,
  type DestinationRow,
  deleteDestination,
  findDelivery,
  findDestinations,
  listDestinations,
  type Records,
  rotateSecret,
  setDisabled,
  toDelivery,
  toWebhook,
} from '@switchyard/records'
import { type Caller, isOperator, mayAccess, ownerFilter } from '../access/caller.ts'
import { toProjectId } from '../access/project-names.ts'

/** How long the secret before a rotation signs as well: time to bring the new one to the receiver, ms. */
const PREVIOUS_SECRET_MS = 24 * 3_600_000
/** How long a test waits to learn what came of it, ms. */
const TEST_MS = 20_000
const TEST_EVERY_MS = 100

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`

/** Another's endpoint is answered like one that does not exist. @throws SwitchyardError `webhook_not_found` */
const findOwn = async (records: Records, caller: Caller, id: string): Promise<DestinationRow> => {
  const [row] = await findDestinations(records.db, [id])
  if (row?.kind !== 'webhook' || !mayAccess(caller, row.owner_key))
    throw new SwitchyardError('webhook_not_found', `there is no webhook ${id.slice(0, 60)}`)
  return row
}

export class WebhookService {
  readonly #records: Records

  constructor(records: Records) {
    this.#records = records
  }

  /** @throws SwitchyardError `invalid_request`, `invalid_project`, `database_unavailable` */
  async create(caller: Caller, input: NewWebhook): Promise<WebhookWithSecret> {
    if (input.escalation && input.event_types !== undefined)
      throw new SwitchyardError('invalid_request', 'event_types: with escalation it is task_input_required alone', {
        context: { errors: [{ path: 'event_types', message: 'with escalation it is task_input_required alone' }] },
      })
    const secret = newSecret()
    const defaults = input.escalation ? (['task_input_required'] as const) : QUIET_EVENT_TYPES
    const row = await createDestination(this.#records.db, {
      id: newWebhookId(),
      owner_key: caller.name,
      sees_all: isOperator(caller),
      url: input.url,
      description: input.description ?? null,
      event_types: [...new Set(input.event_types ?? defaults)],
      agent_id: input.agent_id ?? null,
      project_id: input.project === undefined ? null : toProjectId(input.project),
      progress_interval_ms: input.progress_interval_ms ?? PROGRESS_INTERVAL_MS.fallback,
      escalation: input.escalation ?? false,
      secret,
    })
    return { ...toWebhook(row), secret }
  }

  /** An agent's key sees its own, an operator's all. */
  async list(caller: Caller): Promise<Webhook[]> {
    const rows = await listDestinations(this.#records.db, ownerFilter(caller).owner_key)
    return rows.map(toWebhook)
  }

  async get(caller: Caller, id: string): Promise<Webhook> {
    return toWebhook(await findOwn(this.#records, caller, id))
  }

  /**
   * Sends a test on the way that every delivery takes.
   *
   * @returns the delivery as it is after its first attempt, or after 20 s.
   */
  async test(caller: Caller, id: string, signal: AbortSignal): Promise<Delivery> {
    const row = await findOwn(this.#records, caller, id)
    const deliveryId = await addTestDelivery(this.#records.db, row, WEBHOOK_TEST)
    const ends = Date.now() + TEST_MS
    for (;;) {
      const delivery = await findDelivery(this.#records.db, deliveryId)
      if (!delivery) throw new SwitchyardError('delivery_not_found', `${id} was deleted meanwhile`)
      if (delivery.state !== 'pending' || delivery.failure !== null || Date.now() > ends || signal.aborted)
        return toDelivery(delivery)
      await delay(TEST_EVERY_MS)
    }
  }

  /** A new secret; for a day deliveries carry both signatures. */
  async rotate(caller: Caller, id: string): Promise<WebhookWithSecret> {
    const { id: own } = await findOwn(this.#records, caller, id)
    const secret = newSecret()
    return { ...toWebhook(await rotateSecret(this.#records.db, own, secret, PREVIOUS_SECRET_MS)), secret }
  }

  async disable(caller: Caller, id: string): Promise<Webhook> {
    const { id: own } = await findOwn(this.#records, caller, id)
    return toWebhook(await setDisabled(this.#records.db, own, `disabled by ${caller.name}`))
  }

  async enable(caller: Caller, id: string): Promise<Webhook> {
    const { id: own } = await findOwn(this.#records, caller, id)
    return toWebhook(await setDisabled(this.#records.db, own, null))
  }

  async delete(caller: Caller, id: string): Promise<void> {
    const { id: own } = await findOwn(this.#records, caller, id)
    await deleteDestination(this.#records.db, own)
  }
}
