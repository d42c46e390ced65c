// Converts Postgres errors, so that a caller learns whether the database is unavailable, full, or rejected the value.

import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'

/** Connection failures of Node, and classes 08, 57P0x and 53300 of Postgres. */
const UNAVAILABLE =
  /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|08\w{3}|57P0\d|57014|53300|25006)$/

/** pg gives these failures no code. */
const UNAVAILABLE_MESSAGE =
  /(timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client has encountered a connection error|Cannot use a pool after calling end)/i

/** A Postgres failure as a SwitchyardError; any other value comes back as it is. */
const asRecordsError = (error: unknown): unknown => {
  if (error instanceof SwitchyardError) return error
  const code = systemErrorCode(error)
  const message = error instanceof Error ? error.message : String(error)
  if (code === '53100') return new SwitchyardError('disk_full', 'the database’s disk is full', { cause: error })
  if ((code && UNAVAILABLE.test(code)) || UNAVAILABLE_MESSAGE.test(message))
    return new SwitchyardError('database_unavailable', `the database does not answer: ${message || code}`, {
      cause: error,
    })
  return error
}

/** Wraps a query function so that its failures are ours. */
export const guarded =
  <A extends readonly unknown[], R>(query: (...args: A) => Promise<R>) =>
  async (...args: A): Promise<R> => {
    try {
      return await query(...args)
    } catch (error) {
      throw asRecordsError(error)
    }
  }
