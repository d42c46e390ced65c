// How a container's end is to be read: the turn is done, has failed, or was broken off and can be taken up again.

import { ERRORS, type ErrorCode, type TaskError } from '@switchyard/contracts'
import type { ContainerState } from '@switchyard/docker'
import { type SessionMessage, summariseTurn } from '@switchyard/opencode'
import type { LogWords } from './opencode-log.ts'

export type Verdict =
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly error: TaskError }
  | { readonly kind: 'interrupted'; readonly how: string }

/** What a shell answers for a program that is not there or cannot be run. */
const NOT_FOUND: readonly number[] = [126, 127]
/** Ended by SIGINT, SIGKILL or SIGTERM: by the engine's own end, by the host's, by a person. */
const SIGNALLED: readonly number[] = [130, 137, 143]

const failed = (code: ErrorCode, message: string): Verdict => ({
  kind: 'failed',
  error: { code, message, retryable: ERRORS[code].retryable },
})

const ofTurn = (messages: readonly SessionMessage[], words: LogWords): Verdict | null => {
  const summary = summariseTurn([messages])
  switch (summary.end) {
    case 'finished':
      return { kind: 'finished' }
    case 'failed':
    case 'halted':
      if (words.missingModel && summary.error?.code === 'opencode_error')
        return failed('model_not_found', 'OpenCode does not know the model')
      return summary.error ? { kind: 'failed', error: summary.error } : null
    case 'aborted':
    case 'open':
    case 'unanswered':
      return null
  }
}

/** @param messages - those that this container printed. */
export const judge = (state: ContainerState, messages: readonly SessionMessage[], words: LogWords): Verdict => {
  const { exitCode } = state
  const turn = ofTurn(messages, words)
  if (turn?.kind === 'failed' || (turn?.kind === 'finished' && exitCode === 0)) return turn
  // A tool that the kernel ended leaves its mark too: it counts only where OpenCode itself has failed.
  if (state.outOfMemory && exitCode !== 0)
    return failed('container_out_of_memory', 'the container was ended because it needed more memory than it may have')
  if (NOT_FOUND.includes(exitCode) && messages.length === 0)
    return failed(
      'runner_image_invalid',
      `there is no opencode to run in the image (exit code ${exitCode})${words.tail}`,
    )
  if (SIGNALLED.includes(exitCode)) return { kind: 'interrupted', how: `exit code ${exitCode}` }
  if (messages.length === 0)
    return failed('container_failed', `the container ended with exit code ${exitCode} and said nothing${words.tail}`)
  if (exitCode === 0) return { kind: 'interrupted', how: 'the turn has no end' }
  return failed('container_failed', `the container ended with exit code ${exitCode}${words.tail}`)
}
