// Converts an error of OpenCode, on a message or in a `session.error` event, to a task error.

import type { AssistantMessage } from '@opencode-ai/sdk/v2'
import type { ErrorCode, TaskError } from '@switchyard/contracts'
import { ERRORS } from '@switchyard/contracts'
import { oneLine } from './text.ts'

export type OpenCodeFailure = NonNullable<AssistantMessage['error']>

const MAX_MESSAGE = 500

/**
 * Returns the task error. `retryable` says whether the same task may succeed later without changes. An abort has no code of
 * its own: see `summariseTurn`.
 */
export const toTaskError = (error: OpenCodeFailure | undefined): TaskError => {
  if (!error) return taskError('opencode_error', '')
  switch (error.name) {
    case 'ProviderAuthError':
      return taskError('provider_auth', error.data.message)
    case 'MessageOutputLengthError':
      return taskError('output_limit', OUTPUT_LIMIT_REACHED)
    case 'ContextOverflowError':
    case 'ContentFilterError':
      return taskError('model_error', error.data.message, false)
    case 'StructuredOutputError':
      return taskError('model_error', error.data.message)
    case 'APIError': {
      const { statusCode, message, isRetryable } = error.data
      if (statusCode === 401 || statusCode === 403) return taskError('provider_auth', message)
      return taskError('model_error', statusCode === undefined ? message : `${statusCode}: ${message}`, isRetryable)
    }
    case 'MessageAbortedError':
      return taskError('opencode_error', error.data.message)
    case 'UnknownError':
      return unknownError(withoutStack(error.data.message))
    // A newer server may report errors that this SDK does not have.
    default:
      return taskError('opencode_error', JSON.stringify(error))
  }
}

export const OUTPUT_LIMIT_REACHED = "the model's answer was truncated at its output limit"

/** OpenCode appends a stack trace of its own code to the message. */
const withoutStack = (message: string): string =>
  message.replace(/\s+at (?:\S+ )*\(?(?:\/|file:|<anonymous>)[\s\S]*$/, '')

const unknownError = (message: string): TaskError =>
  /ProviderModelNotFoundError|Model not found/.test(message)
    ? taskError('model_not_found', message.replace(/^ProviderModelNotFoundError:\s*/, ''))
    : taskError('opencode_error', message)

const taskError = (code: ErrorCode, message: string, retryable: boolean = ERRORS[code].retryable): TaskError => ({
  code,
  message: oneLine(message, MAX_MESSAGE) || 'no reason given',
  retryable,
})
