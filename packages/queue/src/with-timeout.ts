// A call of the queue with a limit: one that hangs has failed for its caller.

import { SwitchyardError } from '@switchyard/contracts'

/** ms */
const CALL_TIMEOUT_MS = 2_000

/** @throws SwitchyardError `queue_unavailable` */
export const bounded = async <T>(call: Promise<T>, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CALL_TIMEOUT_MS} ms`)), CALL_TIMEOUT_MS)
  })
  try {
    return await Promise.race([call, late])
  } catch (error) {
    throw new SwitchyardError(
      'queue_unavailable',
      `${what} failed: ${error instanceof Error ? error.message : error}`,
      {
        cause: error,
      },
    )
  } finally {
    clearTimeout(timer)
    call.catch(() => {})
  }
}
