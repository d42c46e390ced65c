// Waits until the supervisor has a running server.

import type { RunningServer } from './launcher.ts'
import type { Supervisor } from './supervisor.ts'

/** Resolves with the running server. Rejects only when the signal fires, with its reason. */
export const waitForServer = (
  supervisor: Pick<Supervisor, 'current' | 'onState'>,
  signal: AbortSignal,
): Promise<RunningServer> =>
  new Promise((resolve, reject) => {
    const check = (): void => {
      const server = supervisor.current()
      if (!server && !signal.aborted) return
      unsubscribe()
      signal.removeEventListener('abort', check)
      if (server) resolve(server)
      else reject(signal.reason)
    }
    const unsubscribe = supervisor.onState(check)
    signal.addEventListener('abort', check)
    check()
  })
