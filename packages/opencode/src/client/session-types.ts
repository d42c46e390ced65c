// What calls about sessions take and give.

import type { Message, Part } from '@opencode-ai/sdk/v2'

/** A message with everything in it. */
export type SessionMessage = { readonly info: Message; readonly parts: readonly Part[] }

/** Where a session lives. Permissions, questions and statuses are kept by directory. */
export type SessionRef = { readonly sessionId: string; readonly directory: string }

/** OpenCode's cursor of the page before a message: opaque in its answers, made here so that a page can begin at any message. */
export const cursorBefore = ({ id, time }: Message): string =>
  Buffer.from(JSON.stringify({ id, time: time.created })).toString('base64url')
