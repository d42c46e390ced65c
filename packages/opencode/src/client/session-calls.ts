// The calls about sessions that people hold: what tasks never need, on the same terms as the other calls.

import type {
  Agent,
  Config,
  OpencodeClient,
  PermissionRule,
  Provider,
  Session,
  SnapshotFileDiff,
  VcsFileDiff,
  VcsFileStatus,
} from '@opencode-ai/sdk/v2'
import { isSwitchyardError, type ModelRef, SwitchyardError } from '@switchyard/contracts'
import type { createCaller, OpenCodeCallOptions } from './call.ts'
import type { SessionMessage, SessionRef } from './session-types.ts'

type SessionPatch = {
  readonly title?: string | undefined
  /** Takes the place of all of it. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** Put behind the rules that are there: the last that fits decides. */
  readonly permission?: readonly PermissionRule[] | undefined
}

/** A page of messages, in the order they came, and how to ask for the page before it. */
type MessagePage = { readonly messages: readonly SessionMessage[]; readonly before: string | undefined }

/** Milliseconds for calls that answer when the model has: fetch itself gives up after 300 s. */
const MODEL_MS = 290_000

/** @throws SwitchyardError `session_busy` where OpenCode says 409. */
const asBusy = (error: unknown): never => {
  if (isSwitchyardError(error, 'opencode_error') && error.context.status === 409)
    throw new SwitchyardError('session_busy', error.message, { cause: error })
  throw error
}

export const sessionCalls = (call: ReturnType<typeof createCaller>, sdk: () => OpencodeClient) => ({
  updateSession: (
    { sessionId, directory }: SessionRef,
    patch: SessionPatch,
    given: OpenCodeCallOptions = {},
  ): Promise<Session> =>
    call('change the session', 'always', given, (signal) =>
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

  /**
   * A copy of the session up to a message, without it; of all of it where none is given, or where it has no such message.
   * The copy has the metadata and not the permission rules of the first.
   */
  forkSession: (
    { sessionId, directory }: SessionRef,
    messageId: string | undefined,
    given: OpenCodeCallOptions = {},
  ): Promise<Session> =>
    call('fork the session', 'unsent', given, (signal) =>
      sdk().session.fork(
        { sessionID: sessionId, directory, ...(messageId === undefined ? {} : { messageID: messageId }) },
        { signal },
      ),
    ),

  /** Has the model write AGENTS.md; answers when it has. The same message id makes one turn. */
  initSession: async (
    { sessionId, directory }: SessionRef,
    args: { readonly messageId: string; readonly model: ModelRef },
    given: OpenCodeCallOptions = {},
  ): Promise<void> => {
    await call('let the session write AGENTS.md', 'unsent', { timeoutMs: MODEL_MS, ...given }, (signal) =>
      sdk().session.init({ sessionID: sessionId, directory, messageID: args.messageId, ...args.model }, { signal }),
    ).catch(asBusy)
  },

  /** Puts a summary in the place of the messages so far, as far as the model is concerned; answers when it is written. */
  summarizeSession: async (
    { sessionId, directory }: SessionRef,
    model: ModelRef,
    given: OpenCodeCallOptions = {},
  ): Promise<void> => {
    await call('compact the session', 'unsent', { timeoutMs: MODEL_MS, ...given }, (signal) =>
      sdk().session.summarize({ sessionID: sessionId, directory, ...model }, { signal }),
    ).catch(asBusy)
  },

  /** @returns the session; without `share` where the server is told not to share. */
  shareSession: ({ sessionId, directory }: SessionRef, given: OpenCodeCallOptions = {}): Promise<Session> =>
    call('share the session', 'unsent', given, (signal) =>
      sdk().session.share({ sessionID: sessionId, directory }, { signal }),
    ),

  unshareSession: ({ sessionId, directory }: SessionRef, given: OpenCodeCallOptions = {}): Promise<Session> =>
    call('unshare the session', 'always', given, (signal) =>
      sdk().session.unshare({ sessionID: sessionId, directory }, { signal }),
    ),

  /** Takes back a message and all after it, with their changes of files where the server takes snapshots. */
  revertSession: (
    { sessionId, directory }: SessionRef,
    to: { readonly messageId: string; readonly partId?: string | undefined },
    given: OpenCodeCallOptions = {},
  ): Promise<Session> =>
    call('revert the session', 'always', given, (signal) =>
      sdk().session.revert(
        {
          sessionID: sessionId,
          directory,
          messageID: to.messageId,
          ...(to.partId === undefined ? {} : { partID: to.partId }),
        },
        { signal },
      ),
    ).catch(asBusy),

  unrevertSession: ({ sessionId, directory }: SessionRef, given: OpenCodeCallOptions = {}): Promise<Session> =>
    call('unrevert the session', 'always', given, (signal) =>
      sdk().session.unrevert({ sessionID: sessionId, directory }, { signal }),
    ).catch(asBusy),

  /** What the turn of one prompt changed, by OpenCode's snapshots: empty where the config says `snapshot: false`. */
  turnDiff: (
    { sessionId, directory, messageId }: SessionRef & { readonly messageId: string },
    given: OpenCodeCallOptions = {},
  ): Promise<readonly SnapshotFileDiff[]> =>
    call('read the diff', 'always', given, (signal) =>
      sdk().session.diff({ sessionID: sessionId, directory, messageID: messageId }, { signal }),
    ),

  /**
   * The newest messages, or those before a page.
   *
   * @param before - what the page after it said, which OpenCode has in a header; or `cursorBefore` of a message.
   */
  messagePage: async (
    { sessionId, directory }: SessionRef,
    page: { readonly limit: number; readonly before?: string | undefined },
    given: OpenCodeCallOptions = {},
  ): Promise<MessagePage> => {
    let before: string | undefined
    const messages = await call('read the messages', 'always', given, async (signal) => {
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

  /** The last message of a session, wherever it is: its directory is not set up for it. @returns undefined where it has none */
  newestMessage: async (sessionId: string, given: OpenCodeCallOptions = {}): Promise<SessionMessage | undefined> =>
    (
      await call('read the messages', 'always', given, (signal) =>
        sdk().session.messages({ sessionID: sessionId, limit: 1 }, { signal }),
      )
    ).at(-1),

  /** Names of files that fit, the nearest first. A query that leads outside finds nothing. */
  findFiles: (
    directory: string,
    find: { readonly query: string; readonly limit: number },
    given: OpenCodeCallOptions = {},
  ): Promise<readonly string[]> =>
    call('find files', 'always', given, (signal) =>
      sdk().find.files({ directory, query: find.query, type: 'file', limit: find.limit }, { signal }),
    ),

  /** What differs from the last commit, untracked files among it. Git runs where the agents' commands do. */
  changedFiles: (directory: string, given: OpenCodeCallOptions = {}): Promise<readonly VcsFileStatus[]> =>
    call('read the changes', 'always', given, (signal) => sdk().vcs.status({ directory }, { signal })),

  /** The same, with a patch for each file. */
  workingDiff: (directory: string, given: OpenCodeCallOptions = {}): Promise<readonly VcsFileDiff[]> =>
    call('read the changes', 'always', given, (signal) => sdk().vcs.diff({ directory, mode: 'git' }, { signal })),

  agents: (directory: string, given: OpenCodeCallOptions = {}): Promise<readonly Agent[]> =>
    call('list the agents', 'always', given, (signal) => sdk().app.agents({ directory }, { signal })),

  /** Holds API keys in clear: nobody outside sees it as it is. */
  config: (directory: string, given: OpenCodeCallOptions = {}): Promise<Config> =>
    call('read the config', 'always', given, (signal) => sdk().config.get({ directory }, { signal })),

  /** Those that can be used in this directory, keys in clear among it, with the default model of each. */
  providers: (
    directory: string,
    given: OpenCodeCallOptions = {},
  ): Promise<{ readonly providers: readonly Provider[]; readonly default: Readonly<Record<string, string>> }> =>
    call('list the providers', 'always', given, (signal) => sdk().config.providers({ directory }, { signal })),
})
