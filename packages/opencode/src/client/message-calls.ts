// Calls that send prompts and read messages.

import type { Part } from '@opencode-ai/sdk/v2'
import { isSwitchyardError, type ModelRef } from '@switchyard/contracts'
import type { Call, OpenCodeCallOptions } from './call.ts'
import { partId } from './message-ids.ts'
import type { Sdk } from './sdk-client.ts'
import type { SessionMessage, SessionRef } from './session-types.ts'

export type Prompt = SessionRef & {
  /** From `newMessageId()`. Record it before sending: a prompt sent twice with the same id makes one turn. */
  readonly messageId: string
  readonly text: string
  readonly model?: ModelRef | undefined
  readonly agent?: string | undefined
  readonly variant?: string | undefined
  readonly system?: string | undefined
  /** Adds the prompt without starting a turn. */
  readonly noReply?: boolean | undefined
}

/** A page of messages, oldest first, and the cursor of the page before it. */
type MessagePage = { readonly messages: readonly SessionMessage[]; readonly before: string | undefined }

export const messageCalls = (call: Call, sdk: Sdk) => ({
  /**
   * Sends a prompt and returns without waiting for the turn (10 to 40 ms). While a turn is running, the model reads the
   * prompt at its next step. Safe to repeat: message and part keep their ids, and the server makes one turn of them.
   */
  promptAsync: async (prompt: Prompt, options: OpenCodeCallOptions = {}): Promise<void> => {
    await call('send the prompt', 'always', options, (signal) =>
      sdk().session.promptAsync(
        {
          sessionID: prompt.sessionId,
          directory: prompt.directory,
          messageID: prompt.messageId,
          parts: [{ id: partId(prompt.messageId), type: 'text', text: prompt.text }],
          ...(prompt.model ? { model: { ...prompt.model } } : {}),
          ...(prompt.agent === undefined ? {} : { agent: prompt.agent }),
          ...(prompt.variant === undefined ? {} : { variant: prompt.variant }),
          ...(prompt.system === undefined ? {} : { system: prompt.system }),
          ...(prompt.noReply === undefined ? {} : { noReply: prompt.noReply }),
        },
        { signal },
      ),
    )
  },

  /** Returns the messages, oldest first; with `limit` the newest ones. */
  messages: (
    { sessionId, directory, limit }: SessionRef & { readonly limit?: number | undefined },
    options: OpenCodeCallOptions = {},
  ): Promise<readonly SessionMessage[]> =>
    call('read the messages', 'always', options, (signal) =>
      sdk().session.messages(
        { sessionID: sessionId, directory, ...(limit === undefined ? {} : { limit }) },
        { signal },
      ),
    ),

  /** Returns undefined when the message or its session does not exist: the prompt was never received. */
  message: async (
    { sessionId, directory, messageId }: SessionRef & { readonly messageId: string },
    options: OpenCodeCallOptions = {},
  ): Promise<SessionMessage | undefined> => {
    try {
      return await call('read the message', 'always', options, (signal) =>
        sdk().session.message({ sessionID: sessionId, directory, messageID: messageId }, { signal }),
      )
    } catch (error) {
      const isMissing = isSwitchyardError(error, 'opencode_error') && error.context.status === 404
      if (isMissing) return undefined
      throw error
    }
  },

  /**
   * Returns the newest messages, or those before a cursor.
   *
   * @param page - `before`: from the previous page, or `cursorBefore` of a message
   */
  messagePage: async (
    { sessionId, directory }: SessionRef,
    page: { readonly limit: number; readonly before?: string | undefined },
    options: OpenCodeCallOptions = {},
  ): Promise<MessagePage> => {
    let before: string | undefined
    const messages = await call('read the messages', 'always', options, async (signal) => {
      const result = await sdk().session.messages(
        {
          sessionID: sessionId,
          directory,
          limit: page.limit,
          ...(page.before === undefined ? {} : { before: page.before }),
        },
        { signal },
      )
      before = result.response?.headers.get('x-next-cursor') ?? undefined
      return result
    })
    return { messages, before }
  },

  /** Returns the last message of a session in any directory, without making OpenCode load that directory. */
  newestMessage: async (sessionId: string, options: OpenCodeCallOptions = {}): Promise<SessionMessage | undefined> =>
    (
      await call('read the messages', 'always', options, (signal) =>
        sdk().session.messages({ sessionID: sessionId, limit: 1 }, { signal }),
      )
    ).at(-1),

  /** Runs a shell command in the session, and returns when it has exited. */
  shell: (
    { sessionId, directory, command }: SessionRef & { readonly command: string },
    options: OpenCodeCallOptions = {},
  ): Promise<{ readonly parts: readonly Part[] }> =>
    call('run the command', 'unsent', options, (signal) =>
      sdk().session.shell({ sessionID: sessionId, directory, agent: 'build', command }, { signal }),
    ),
})
