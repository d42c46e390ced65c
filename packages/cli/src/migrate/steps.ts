// What every step of a migration receives, and how its result is reported.

import { isSwitchyardError, type SwitchyardError } from '@switchyard/contracts'
import type { Journal } from './journal.ts'
import type { Switchyard } from './switchyard.ts'

/** `left`: something is still to be done, by somebody or by running it again. */
export type Outcome = { readonly kind: 'done' | 'left' | 'told'; readonly what: string; readonly message: string }

export type ExecuteDeps = {
  readonly switchyard: Switchyard
  readonly journal: Journal
  /** Checkouts that could not be saved: nothing is done with them. */
  readonly unsaved: ReadonlySet<string>
  readonly tell: (outcome: Outcome) => void
}

const words = ({ message, hint }: SwitchyardError): string => `${message}. ${hint}`

/** Runs one step; a failure is reported and ends only that step. */
export const attempt = async <T>(deps: ExecuteDeps, what: string, work: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await work()
  } catch (error) {
    // Whatever comes next would fail too.
    if (!isSwitchyardError(error) || error.code === 'unauthorized' || error.code === 'disk_full') throw error
    deps.tell({ kind: 'left', what, message: words(error) })
    return undefined
  }
}
