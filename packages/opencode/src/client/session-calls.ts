// Calls that create, read and change sessions.

import type { PermissionRule, Session, SnapshotFileDiff, Todo } from '@opencode-ai/sdk/v2'
import { isSwitchyardError, type ModelRef, SwitchyardError } from '@switchyard/contracts'
import type { Call, OpenCodeCallOptions } from './call.ts'
import type { Sdk } from './sdk-client.ts'
import type { SessionRef } from './session-types.ts'

export type NewSession = {
  readonly directory: string
  readonly title: string
  readonly permission?: readonly PermissionRule[] | undefined
  readonly parentId?: string | undefined
  readonly agent?: string | undefined
  readonly model?: ModelRef | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

type SessionPatch = {
  readonly title?: string | undefined
  /** Replaces all metadata. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** Appended to the existing rules: the last rule that matches decides. */
  readonly permission?: readonly PermissionRule[] | undefined
}

/** The time limit of calls that return when the model has answered, ms: `fetch` itself times out after 300 s. */
const MODEL_TIMEOUT_MS = 290_000

/** @throws SwitchyardError `session_busy` when OpenCode answers 409 */
const rethrowAsBusy = (error: unknown): never => {
  if (isSwitchyardError(error, 'opencode_error') && error.context.status === 409)
    throw new SwitchyardError('session_busy', error.message, { cause: error })
  throw error
}

export const sessionCalls = (call: Call, sdk: Sdk) => ({
  createSession: async (session: NewSession, options: OpenCodeCallOptions = {}): Promise<Session> =>
    call('create a session', 'unsent', options, (signal) =>
      sdk().session.create(
        {
          directory: session.directory,
          title: session.title,
          ...(session.permission ? { permission: [...session.permission] } : {}),
          ...(session.parentId === undefined ? {} : { parentID: session.parentId }),
          ...(session.agent === undefined ? {} : { agent: session.agent }),
          ...(session.model ? { model: { id: session.model.modelID, providerID: session.model.providerID } } : {}),
          ...(session.metadata ? { metadata: { ...session.metadata } } : {}),
        },
        { signal },
      ),
    ),

  /** @throws SwitchyardError `session_lost` when the session does not exist */
  session: ({ sessionId, directory }: SessionRef, options: OpenCodeCallOptions = {}): Promise<Session> =>
    call('read the session', 'always', options, (signal) =>
      sdk().session.get({ sessionID: sessionId, directory }, { signal }),
    ),

  updateSession: (
    { sessionId, directory }: SessionRef,
    patch: SessionPatch,
    options: OpenCodeCallOptions = {},
  ): Promise<Session> =>
    call('change the session', 'always', options, (signal) =>
      sdk().session.update(
        {
          sessionID: sessionId,
          directory,
          ...(patch.title === undefined ? {} : { title: patch.title }),
          ...(patch.metadata === undefined ? {} : { metadata: { ...patch.metadata } }),
          ...(patch.permission === undefined ? {} : { permission: [...patch.permission] }),
        },
        { signal },
      ),
    ),

  /** Deletes a session permanently, if it exists. */
  deleteSession: async ({ sessionId, directory }: SessionRef, options: OpenCodeCallOptions = {}): Promise<void> => {
    try {
      await call('delete the session', 'always', options, (signal) =>
        sdk().session.delete({ sessionID: sessionId, directory }, { signal }),
      )
    } catch (error) {
      if (!isSwitchyardError(error, 'session_lost')) throw error
    }
  },

  /**
   * Copies the messages before `messageId` into a new session; all of them when it is undefined or unknown. The copy has
   * the metadata of the original, but not its permission rules.
   */
  forkSession: (
    { sessionId, directory }: SessionRef,
    messageId: string | undefined,
    options: OpenCodeCallOptions = {},
  ): Promise<Session> =>
    call('fork the session', 'unsent', options, (signal) =>
      sdk().session.fork(
        { sessionID: sessionId, directory, ...(messageId === undefined ? {} : { messageID: messageId }) },
        { signal },
      ),
    ),

  /** Makes the model write AGENTS.md, and returns when it has. The same message id makes one turn. */
  initSession: async (
    { sessionId, directory }: SessionRef,
    args: { readonly messageId: string; readonly model: ModelRef },
    options: OpenCodeCallOptions = {},
  ): Promise<void> => {
    await call('write AGENTS.md', 'unsent', { timeoutMs: MODEL_TIMEOUT_MS, ...options }, (signal) =>
      sdk().session.init({ sessionID: sessionId, directory, messageID: args.messageId, ...args.model }, { signal }),
    ).catch(rethrowAsBusy)
  },

  /** Replaces the messages so far with a summary in what the model reads, and returns when it is written. */
  summarizeSession: async (
    { sessionId, directory }: SessionRef,
    model: ModelRef,
    options: OpenCodeCallOptions = {},
  ): Promise<void> => {
    await call('compact the session', 'unsent', { timeoutMs: MODEL_TIMEOUT_MS, ...options }, (signal) =>
      sdk().session.summarize({ sessionID: sessionId, directory, ...model }, { signal }),
    ).catch(rethrowAsBusy)
  },

  /** Returns the session, without `share` when the server does not allow sharing. */
  shareSession: ({ sessionId, directory }: SessionRef, options: OpenCodeCallOptions = {}): Promise<Session> =>
    call('share the session', 'unsent', options, (signal) =>
      sdk().session.share({ sessionID: sessionId, directory }, { signal }),
    ),

  unshareSession: ({ sessionId, directory }: SessionRef, options: OpenCodeCallOptions = {}): Promise<Session> =>
    call('unshare the session', 'always', options, (signal) =>
      sdk().session.unshare({ sessionID: sessionId, directory }, { signal }),
    ),

  /** Reverts a message and all after it, and their file changes when the server takes snapshots. */
  revertSession: (
    { sessionId, directory }: SessionRef,
    to: { readonly messageId: string; readonly partId?: string | undefined },
    options: OpenCodeCallOptions = {},
  ): Promise<Session> =>
    call('revert the session', 'always', options, (signal) =>
      sdk().session.revert(
        {
          sessionID: sessionId,
          directory,
          messageID: to.messageId,
          ...(to.partId === undefined ? {} : { partID: to.partId }),
        },
        { signal },
      ),
    ).catch(rethrowAsBusy),

  unrevertSession: ({ sessionId, directory }: SessionRef, options: OpenCodeCallOptions = {}): Promise<Session> =>
    call('unrevert the session', 'always', options, (signal) =>
      sdk().session.unrevert({ sessionID: sessionId, directory }, { signal }),
    ).catch(rethrowAsBusy),

  todo: ({ sessionId, directory }: SessionRef, options: OpenCodeCallOptions = {}): Promise<readonly Todo[]> =>
    call('read the to-do list', 'always', options, (signal) =>
      sdk().session.todo({ sessionID: sessionId, directory }, { signal }),
    ),

  /** Returns what the turn of one prompt changed, by OpenCode's snapshots: nothing when the config has `snapshot: false`. */
  turnDiff: (
    { sessionId, directory, messageId }: SessionRef & { readonly messageId: string },
    options: OpenCodeCallOptions = {},
  ): Promise<readonly SnapshotFileDiff[]> =>
    call('read the diff', 'always', options, (signal) =>
      sdk().session.diff({ sessionID: sessionId, directory, messageID: messageId }, { signal }),
    ),
})
