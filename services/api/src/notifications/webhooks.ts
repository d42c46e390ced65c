// Creates, tests, disables and deletes webhooks, and rotates their secrets. A secret is returned only when it is created.

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

/** How long the previous secret also signs after a rotation, so that receivers have time to switch, ms. */
const PREVIOUS_SECRET_MS = 24 * 3_600_000
/** Limit of the wait for the result of a test, ms. */
const TEST_WAIT_MS = 20_000
const TEST_POLL_MS = 100

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`

/** Returns a webhook that the caller may access. @throws SwitchyardError `webhook_not_found`, also for another key's */
const findAccessible = async (records: Records, caller: Caller, id: string): Promise<DestinationRow> => {
  const [row] = await findDestinations(records.db, [id])
  if (row?.kind !== 'webhook' || !mayAccess(caller, row.owner_key))
    throw new SwitchyardError('webhook_not_found', `webhook ${id.slice(0, 60)} does not exist`)
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
      throw new SwitchyardError(
        'invalid_request',
        'event_types: must be omitted with escalation, which implies task_input_required',
        {
          context: {
            errors: [
              { path: 'event_types', message: 'must be omitted with escalation, which implies task_input_required' },
            ],
          },
        },
      )
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

  /** Returns the caller's own webhooks; all of them for an operator. */
  async list(caller: Caller): Promise<Webhook[]> {
    const rows = await listDestinations(this.#records.db, ownerFilter(caller).owner_key)
    return rows.map(toWebhook)
  }

  async get(caller: Caller, id: string): Promise<Webhook> {
    return toWebhook(await findAccessible(this.#records, caller, id))
  }

  /**
   * Sends a test event through the regular delivery path.
   *
   * @returns the delivery after its first attempt, or after 20 s
   */
  async test(caller: Caller, id: string, signal: AbortSignal): Promise<Delivery> {
    const row = await findAccessible(this.#records, caller, id)
    const deliveryId = await addTestDelivery(this.#records.db, row, WEBHOOK_TEST)
    const ends = Date.now() + TEST_WAIT_MS
    for (;;) {
      const delivery = await findDelivery(this.#records.db, deliveryId)
      if (!delivery) throw new SwitchyardError('delivery_not_found', `webhook ${id} was deleted during the test`)
      if (delivery.state !== 'pending' || delivery.failure !== null || Date.now() > ends || signal.aborted)
        return toDelivery(delivery)
      await delay(TEST_POLL_MS)
    }
  }

  /** Creates a new secret. For 24 hours, deliveries carry both signatures. */
  async rotate(caller: Caller, id: string): Promise<WebhookWithSecret> {
    const { id: webhookId } = await findAccessible(this.#records, caller, id)
    const secret = newSecret()
    return { ...toWebhook(await rotateSecret(this.#records.db, webhookId, secret, PREVIOUS_SECRET_MS)), secret }
  }

  async disable(caller: Caller, id: string): Promise<Webhook> {
    const { id: webhookId } = await findAccessible(this.#records, caller, id)
    return toWebhook(await setDisabled(this.#records.db, webhookId, `disabled by ${caller.name}`))
  }

  async enable(caller: Caller, id: string): Promise<Webhook> {
    const { id: webhookId } = await findAccessible(this.#records, caller, id)
    return toWebhook(await setDisabled(this.#records.db, webhookId, null))
  }

  async delete(caller: Caller, id: string): Promise<void> {
    const { id: webhookId } = await findAccessible(this.#records, caller, id)
    await deleteDestination(this.#records.db, webhookId)
  }
}
