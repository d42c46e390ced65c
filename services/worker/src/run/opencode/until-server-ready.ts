// Waits until a server that has failed a call is ready again.

import { setTimeout as delay } from 'node:timers/promises'
import type { OpenCodeServer } from '@switchyard/opencode'

/** The connection may have failed while the server is up: its state is no reason to wait then. */
const MIN_WAIT_MS = 200

/** @throws SwitchyardError `opencode_unavailable` of `ready`; the signal's reason */
export const untilServerReady = async (server: OpenCodeServer, signal: AbortSignal): Promise<void> => {
  await delay(MIN_WAIT_MS, undefined, { signal })
  await server.ready({ signal })
}
