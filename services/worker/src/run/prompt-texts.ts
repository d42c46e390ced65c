// What the agent reads: messages of callers, and the prompts that a run sends by itself.

import type { MessageRow } from '@switchyard/records'

export const CONTINUE =
  'The previous turn was interrupted before it ended. Look at the state of the working directory, then continue the task ' +
  'from where it stopped. Do not repeat what is done already.'

/** Sent when there was no sign of work for some time. */
export const NUDGE = 'There was no progress for a while. Say what you are waiting for, and continue with the task.'

export const messageText = (message: MessageRow): string =>
  message.message_type === 'update'
    ? message.message
    : `[${message.message_type.replaceAll('_', ' ')}] ${message.message}`
