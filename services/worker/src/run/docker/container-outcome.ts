// Judges the end of a container: the turn is finished, it has failed, or it was interrupted and can
// be resumed.

import { ERRORS, type ErrorCode, type TaskError } from '@switchyard/contracts'
import type { ContainerState } from '@switchyard/docker'
import { type SessionMessage, summariseTurn } from '@switchyard/opencode'
import type { OpenCodeLog } from './opencode-log.ts'

export type ContainerOutcome =
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly error: TaskError }
  | { readonly kind: 'interrupted'; readonly how: string }

/** Exit codes of a shell for a program that does not exist or cannot be executed. */
const NOT_EXECUTABLE: readonly number[] = [126, 127]
/**
 * Exit codes after SIGINT, SIGKILL and SIGTERM: from the engine's stop, the host's shutdown, or a
 * person.
 */
const SIGNALLED: readonly number[] = [130, 137, 143]

const failed = (code: ErrorCode, message: string): ContainerOutcome => ({
  kind: 'failed',
  error: { code, message, retryable: ERRORS[code].retryable },
})

/** @returns null if the turn has no end. */
const judgeTurn = (messages: readonly SessionMessage[], log: OpenCodeLog): ContainerOutcome | null => {
  const summary = summariseTurn([messages])
  switch (summary.end) {
    case 'finished':
      return { kind: 'finished' }
    case 'failed':
    case 'halted':
      if (log.isModelMissing && summary.error?.code === 'opencode_error')
        return failed('model_not_found', 'OpenCode does not have the model')
      return summary.error ? { kind: 'failed', error: summary.error } : null
    case 'aborted':
    case 'open':
    case 'unanswered':
      return null
  }
}

/** @param messages - those that this container printed. */
export const judgeContainer = (
  state: ContainerState,
  messages: readonly SessionMessage[],
  log: OpenCodeLog,
): ContainerOutcome => {
  const { exitCode } = state
  const turn = judgeTurn(messages, log)
  if (turn?.kind === 'failed' || (turn?.kind === 'finished' && exitCode === 0)) return turn
  // A tool that the kernel killed sets this as well: it counts only if OpenCode itself has failed.
  if (state.outOfMemory && exitCode !== 0)
    return failed('container_out_of_memory', 'the container exceeded its memory limit and was killed')
  if (NOT_EXECUTABLE.includes(exitCode) && messages.length === 0)
    return failed('runner_image_invalid', `the image has no executable opencode (exit code ${exitCode})${log.tail}`)
  if (SIGNALLED.includes(exitCode)) return { kind: 'interrupted', how: `exit code ${exitCode}` }
  if (messages.length === 0)
    return failed('container_failed', `the container exited with code ${exitCode} and without output${log.tail}`)
  if (exitCode === 0) return { kind: 'interrupted', how: 'the turn has no end' }
  return failed('container_failed', `the container exited with code ${exitCode}${log.tail}`)
}
