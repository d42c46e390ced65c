// Types that several calls about sessions share.

import type { Message, Part } from '@opencode-ai/sdk/v2'

/** A message with all its parts. */
export type SessionMessage = { readonly info: Message; readonly parts: readonly Part[] }

/** A session and its directory. OpenCode stores permissions, questions and statuses by directory. */
export type SessionRef = { readonly sessionId: string; readonly directory: string }

/** Returns OpenCode's cursor of the page before a message, so that a page can start at any message. */
export const cursorBefore = ({ id, time }: Message): string =>
  Buffer.from(JSON.stringify({ id, time: time.created })).toString('base64url')
