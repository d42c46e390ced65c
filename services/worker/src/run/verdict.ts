// What the work on a task came to: the value that an execution returns and that the task's run
// writes to the record.

import type { TaskError, TerminalStatus } from '@switchyard/contracts'
import type { SessionMessage } from '@switchyard/opencode'

/** What is in the task's sessions. */
export type Findings = {
  readonly root: readonly SessionMessage[]
  /** Of the subagents. */
  readonly children: readonly (readonly SessionMessage[])[]
  /** Of OpenCode's process, if the task has one of its own. */
  readonly exitCode?: number
}

export type Verdict =
  | {
      readonly kind: 'completed'
      readonly findings: Findings
      /**
       * How many messages of callers the session has received. If callers have sent more, the task
       * is not over.
       */
      readonly messagesSeen: number
    }
  | { readonly kind: 'failed'; readonly findings: Findings; readonly error: TaskError | null }

/** The terminal status of a task and the error that goes with it. */
export type Ending = { readonly status: TerminalStatus; readonly error: TaskError | null }

export const endingOf = (verdict: Verdict): Ending => {
  switch (verdict.kind) {
    case 'completed':
      return { status: 'completed', error: null }
    case 'failed':
      return { status: 'failed', error: verdict.error }
  }
}
