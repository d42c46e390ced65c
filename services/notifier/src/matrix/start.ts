// Starts Matrix if it is configured, and enables or disables its destination in the outbox.

import type { MatrixSettings } from '@switchyard/config'
import { QUIET_EVENT_TYPES } from '@switchyard/contracts'
import { type ChannelRules, switchChannelOff, switchChannelOn } from '@switchyard/records'
import type { Matrix, MatrixDeps } from './matrix.ts'

const rulesOf = ({ progressIntervalMs }: MatrixSettings): ChannelRules => ({
  eventTypes: [
    ...QUIET_EVENT_TYPES,
    'task_input_answered',
    ...(progressIntervalMs > 0 ? (['task_progress'] as const) : []),
  ],
  progressIntervalMs,
})

/** @returns undefined if Matrix is not configured. @throws SwitchyardError `database_unavailable` */
export const startMatrix = async (deps: MatrixDeps): Promise<Matrix | undefined> => {
  const { config, records } = deps
  if (config.matrix === undefined) {
    await switchChannelOff(records.db, 'matrix', 'MATRIX_HOMESERVER_URL is not set')
    return undefined
  }
  const { connectMatrix } = await import('./matrix.ts')
  await switchChannelOn(records.db, 'matrix', rulesOf(config.matrix))
  return connectMatrix(deps, config.matrix)
}
