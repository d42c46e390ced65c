// The dependencies of a migration's steps, and how a step's result is reported.

import { isSwitchyardError, type SwitchyardError } from '@switchyard/contracts'
import type { Journal } from './journal.ts'
import type { SwitchyardClient } from './switchyard-client.ts'

export type Outcome = {
  /**
   * `left`: not finished; a person must do something or run the command again. `info`: needs no
   * action.
   */
  readonly kind: 'done' | 'left' | 'info'
  /** The project or sandbox; the message continues it as a sentence. */
  readonly what: string
  readonly message: string
}

export type ExecuteDeps = {
  readonly switchyard: SwitchyardClient
  readonly journal: Journal
  /** Checkouts that the backup could not save. They are not migrated. */
  readonly unsaved: ReadonlySet<string>
  readonly report: (outcome: Outcome) => void
}

const formatError = ({ message, hint }: SwitchyardError): string => `${message}. ${hint}`

/**
 * Runs one step and reports its failure.
 *
 * @returns the step's result; undefined if it failed
 * @throws errors that would make every later step fail too
 */
export const attempt = async <T>(deps: ExecuteDeps, what: string, work: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await work()
  } catch (error) {
    if (!isSwitchyardError(error) || error.code === 'unauthorized' || error.code === 'disk_full') throw error
    deps.report({ kind: 'left', what, message: formatError(error) })
    return undefined
  }
}
