// Repeats requests that nobody has answered, before their default answer applies.

import type { Config } from '@switchyard/config'
import type { Bus } from '@switchyard/queue'
import { escalateRequest, findUnanswered, type Records } from '@switchyard/records'
import type { Logger } from 'pino'

type Deps = {
  readonly config: Pick<Config, 'notifier'>
  readonly records: Records
  readonly bus: Pick<Bus, 'publishTask'>
  readonly logger: Logger
}

/** Repeats up to `limit` requests once each. @throws SwitchyardError `database_unavailable` */
export const escalateRequests = async ({ config, records, bus, logger }: Deps, limit: number): Promise<void> => {
  for (const request of await findUnanswered(records.db, config.notifier.escalationMs, limit)) {
    const written = await escalateRequest(records.db, request)
    if (!written) continue
    bus.publishTask(written.task.id, { kind: 'events', events: written.events })
    logger.info({ task_id: request.task_id, request_id: request.id }, 'request unanswered; repeated')
  }
}
