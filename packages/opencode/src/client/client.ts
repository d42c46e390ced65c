// The calls to an OpenCode server that Switchyard makes, each with a limit, an owner's signal and typed errors.

import {
  createOpencodeClient,
  type OpencodeClient,
  type Part,
  type PermissionRequest,
  type PermissionRule,
  type Project,
  type QuestionRequest,
  type Session,
  type SessionStatus,
  type SnapshotFileDiff,
  type Todo,
} from '@opencode-ai/sdk/v2'
import { isSwitchyardError, type ModelRef, SwitchyardError } from '@switchyard/contracts'
import { authorization, type Endpoint } from '../connection/endpoint.ts'
import { type CallPolicy, createCaller, type OpenCodeCallOptions, type SdkResult } from './call.ts'
import { type Catalog, toCatalog } from './catalog.ts'
import { partId } from './message-ids.ts'
import { sessionCalls } from './session-calls.ts'
import { sessionLists } from './session-lists.ts'
import type { SessionMessage, SessionRef } from './session-types.ts'

export type { SessionMessage, SessionRef }

export type NewSession = {
  readonly directory: string
  readonly title: string
  readonly permission?: readonly PermissionRule[] | undefined
  readonly parentId?: string | undefined
  readonly agent?: string | undefined
  readonly model?: ModelRef | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export type Prompt = SessionRef & {
  /** From `newMessageId()`, recorded before: sent twice with the same id it makes one turn. */
  readonly messageId: string
  readonly text: string
  readonly model?: ModelRef | undefined
  readonly agent?: string | undefined
  readonly variant?: string | undefined
  readonly system?: string | undefined
  /** The prompt is added and no turn begins. */
  readonly noReply?: boolean | undefined
}

export type PermissionReply =
  | { readonly reply: 'once' | 'always' }
  /** Without a message the turn ends, and without an error; with one the model reads it and goes on. */
  | { readonly reply: 'reject'; readonly message?: string | undefined }

export type ClientOptions = CallPolicy & {
  /** Where the server is now, asked at every call: after a restart it may be elsewhere. Undefined: there is none. */
  readonly endpoint: () => Endpoint | undefined
}

export type OpenCodeClient = ReturnType<typeof createClient>

/**
 * All calls throw SwitchyardError: `opencode_unavailable` (nobody answers; retryable), `opencode_error` (the server refused),
 * `session_lost` (it does not know the session); the signal's own reason when it fires.
 *
 * Not among them is the blocking `POST /session/{id}/message`: its answer comes when the turn ends, and fetch gives up after 300 s.
 */
export const createClient = (options: ClientOptions) => {
  const call = createCaller(options)

  const endpoint = (): Endpoint => {
    const now = options.endpoint()
    if (now) return now
    throw new SwitchyardError('opencode_unavailable', 'the OpenCode server is not running', {
      context: { refused: true },
    })
  }

  let cached: { readonly endpoint: Endpoint; readonly client: OpencodeClient } | undefined
  /** One client a server: the directory goes with each call, so nothing is kept per directory. */
  const sdk = (): OpencodeClient => {
    const now = endpoint()
    if (cached?.endpoint.url === now.url && cached.endpoint.password === now.password) return cached.client
    cached = { endpoint: now, client: sdkClient(now) }
    return cached.client
  }

  const sessionChildren = (
    { sessionId, directory }: SessionRef,
    given: OpenCodeCallOptions,
  ): Promise<readonly Session[]> =>
    call('list child sessions', 'always', given, (signal) =>
      sdk().session.children({ sessionID: sessionId, directory }, { signal }),
    )

  /** All sessions below this one, at any depth, nearest first. */
  const children = async (ref: SessionRef, given: OpenCodeCallOptions = {}): Promise<readonly Session[]> => {
    const found: Session[] = []
    const open = [ref]
    for (let next = open.shift(); next; next = open.shift()) {
      for (const child of await sessionChildren(next, given)) {
        if (found.some((known) => known.id === child.id)) continue
        found.push(child)
        open.push({ sessionId: child.id, directory: child.directory })
      }
    }
    return found
  }

  const abort = async ({ sessionId, directory }: SessionRef, given: OpenCodeCallOptions = {}): Promise<void> => {
    await call('abort the session', 'always', given, (signal) =>
      sdk().session.abort({ sessionID: sessionId, directory }, { signal }),
    )
  }

  const pendingPermissions = (
    directory: string,
    given: OpenCodeCallOptions = {},
  ): Promise<readonly PermissionRequest[]> =>
    call('list permission asks', 'always', given, (signal) => sdk().permission.list({ directory }, { signal }))

  const pendingQuestions = (directory: string, given: OpenCodeCallOptions = {}): Promise<readonly QuestionRequest[]> =>
    call('list questions', 'always', given, (signal) => sdk().question.list({ directory }, { signal }))

  /** @throws SwitchyardError `request_not_found` when it is answered already, or was lost in a restart. */
  const replyPermission = async (
    request: { readonly requestId: string; readonly directory: string },
    reply: PermissionReply,
    given: OpenCodeCallOptions = {},
  ): Promise<void> => {
    await answer('reply to the permission ask', given, (signal) =>
      sdk().permission.reply(
        {
          requestID: request.requestId,
          directory: request.directory,
          reply: reply.reply,
          ...(reply.reply === 'reject' && reply.message !== undefined ? { message: reply.message } : {}),
        },
        { signal },
      ),
    )
  }

  /** @throws SwitchyardError `request_not_found`, as for permissions. */
  const rejectQuestion = async (
    request: { readonly requestId: string; readonly directory: string },
    given: OpenCodeCallOptions = {},
  ): Promise<void> => {
    await answer('reject the question', given, (signal) =>
      sdk().question.reject({ requestID: request.requestId, directory: request.directory }, { signal }),
    )
  }

  const answer = async <T>(
    what: string,
    given: OpenCodeCallOptions,
    act: (signal: AbortSignal) => Promise<SdkResult<T>>,
  ): Promise<void> => {
    try {
      await call(what, 'unsent', given, act)
    } catch (error) {
      if (isSwitchyardError(error) && error.context.status === 404) {
        throw new SwitchyardError('request_not_found', error.message, { cause: error })
      }
      throw error
    }
  }

  /**
   * Stops a session and everything below it, and takes back what they asked: aborting the parent alone leaves background
   * children running, and asks survive an abort.
   *
   * @returns the ids of the sessions that were aborted.
   */
  const abortTree = async (ref: SessionRef, given: OpenCodeCallOptions = {}): Promise<readonly string[]> => {
    const aborted = new Set<string>()
    // A child may be made between the look and the abort; its parent is aborted by then and makes no further ones.
    for (let round = 0; round < 5; round += 1) {
      const tree = [ref, ...(await children(ref, given)).map(({ id, directory }) => ({ sessionId: id, directory }))]
      const fresh = tree.filter(({ sessionId }) => !aborted.has(sessionId))
      if (fresh.length === 0) break
      await Promise.all(fresh.map((session) => abort(session, given)))
      for (const { sessionId } of fresh) aborted.add(sessionId)
    }
    await withdrawAsks(ref.directory, aborted, given)
    return [...aborted]
  }

  const withdrawAsks = async (
    directory: string,
    sessions: ReadonlySet<string>,
    given: OpenCodeCallOptions,
  ): Promise<void> => {
    const [permissions, questions] = await Promise.all([
      pendingPermissions(directory, given),
      pendingQuestions(directory, given),
    ])
    const ours = ({ sessionID }: { readonly sessionID: string }) => sessions.has(sessionID)
    const replies = [
      ...permissions
        .filter(ours)
        .map(({ id }) => replyPermission({ requestId: id, directory }, { reply: 'reject' }, given)),
      ...questions.filter(ours).map(({ id }) => rejectQuestion({ requestId: id, directory }, given)),
    ]
    for (const result of await Promise.allSettled(replies)) {
      // Answered in the meantime, which is as good.
      if (result.status === 'rejected' && !isSwitchyardError(result.reason, 'request_not_found')) throw result.reason
    }
  }

  return {
    ...sessionCalls(call, sdk),
    ...sessionLists(call, sdk),

    /** The SDK's client for one directory, for calls that are not below. Its errors are its own. */
    clientFor: (directory: string): OpencodeClient => sdkClient(endpoint(), directory),

    health: (given: OpenCodeCallOptions = {}): Promise<{ readonly version: string }> =>
      call('check the health', 'always', given, (signal) => sdk().global.health({ signal })),

    /** Ends every session and tool of the server, and frees its directories. */
    dispose: async (given: OpenCodeCallOptions = {}): Promise<void> => {
      await call('dispose', 'always', given, (signal) => sdk().global.dispose({ signal }))
    },

    /**
     * Frees what the server holds for a directory: file watchers, threads, memory that its next directory uses again. Its
     * sessions end their turns and stay; a later call about the directory sets it up anew.
     */
    disposeDirectory: async (directory: string, given: OpenCodeCallOptions = {}): Promise<void> => {
      await call('free the directory', 'always', given, (signal) => sdk().instance.dispose({ directory }, { signal }))
    },

    /** Makes the server emit `tui.command.execute`. A call by which the event stream is tested; nothing else happens. */
    publishCommand: async (directory: string, command: string, signal: AbortSignal): Promise<void> => {
      await call('test the event stream', 'always', { signal }, (limit) =>
        sdk().tui.publish(
          { directory, body: { type: 'tui.command.execute', properties: { command } } },
          { signal: limit },
        ),
      )
    },

    createSession: async (session: NewSession, given: OpenCodeCallOptions = {}): Promise<Session> =>
      call('create a session', 'unsent', given, (signal) =>
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

    /** @throws SwitchyardError `session_lost` when there is none. */
    session: ({ sessionId, directory }: SessionRef, given: OpenCodeCallOptions = {}): Promise<Session> =>
      call('read the session', 'always', given, (signal) =>
        sdk().session.get({ sessionID: sessionId, directory }, { signal }),
      ),

    /** Deletes a session of ours for good; one that is gone already is as good. */
    deleteSession: async ({ sessionId, directory }: SessionRef, given: OpenCodeCallOptions = {}): Promise<void> => {
      try {
        await call('delete the session', 'always', given, (signal) =>
          sdk().session.delete({ sessionID: sessionId, directory }, { signal }),
        )
      } catch (error) {
        if (!isSwitchyardError(error, 'session_lost')) throw error
      }
    },

    /** The projects that the server has ever been used in, whatever directory that was; needs no directory of its own. */
    projects: (given: OpenCodeCallOptions = {}): Promise<readonly Project[]> =>
      call('list the projects', 'always', given, (signal) => sdk().project.list({}, { signal })),

    /**
     * Gives the session a prompt and returns at once (10 to 40 ms). While a turn runs, the model reads it at its next step.
     * Safe to send again: message and part have the same ids then, and the server makes one turn of them.
     */
    promptAsync: async (prompt: Prompt, given: OpenCodeCallOptions = {}): Promise<void> => {
      await call('send the prompt', 'always', given, (signal) =>
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

    /** In the order they came. `limit` keeps the newest ones. */
    messages: (
      { sessionId, directory, limit }: SessionRef & { readonly limit?: number | undefined },
      given: OpenCodeCallOptions = {},
    ): Promise<readonly SessionMessage[]> =>
      call('read the messages', 'always', given, (signal) =>
        sdk().session.messages(
          { sessionID: sessionId, directory, ...(limit === undefined ? {} : { limit }) },
          { signal },
        ),
      ),

    /** @returns undefined when there is no such message, in a session that is lost too: this prompt never arrived. */
    message: async (
      { sessionId, directory, messageId }: SessionRef & { readonly messageId: string },
      given: OpenCodeCallOptions = {},
    ): Promise<SessionMessage | undefined> => {
      try {
        return await call('read the message', 'always', given, (signal) =>
          sdk().session.message({ sessionID: sessionId, directory, messageID: messageId }, { signal }),
        )
      } catch (error) {
        const isMissing = isSwitchyardError(error, 'opencode_error') && error.context.status === 404
        if (isMissing) return undefined
        throw error
      }
    },

    children,

    /** What runs in this directory. A session that is absent is idle, or unknown. */
    statuses: (directory: string, given: OpenCodeCallOptions = {}): Promise<Readonly<Record<string, SessionStatus>>> =>
      call('read the statuses', 'always', given, (signal) => sdk().session.status({ directory }, { signal })),

    abort,
    abortTree,
    pendingPermissions,
    replyPermission,
    pendingQuestions,

    /**
     * @param answers - for each question the labels chosen, or free words.
     * @throws SwitchyardError `request_not_found`, as for permissions.
     */
    replyQuestion: async (
      request: { readonly requestId: string; readonly directory: string },
      answers: readonly (readonly string[])[],
      given: OpenCodeCallOptions = {},
    ): Promise<void> => {
      await answer('answer the question', given, (signal) =>
        sdk().question.reply(
          {
            requestID: request.requestId,
            directory: request.directory,
            answers: answers.map((labels) => [...labels]),
          },
          { signal },
        ),
      )
    },

    rejectQuestion,

    /** Runs a command in the session, and answers when it has ended. */
    shell: (
      { sessionId, directory, command }: SessionRef & { readonly command: string },
      given: OpenCodeCallOptions = {},
    ): Promise<{ readonly parts: readonly Part[] }> =>
      call('run the command', 'unsent', given, (signal) =>
        sdk().session.shell({ sessionID: sessionId, directory, agent: 'build', command }, { signal }),
      ),

    todo: ({ sessionId, directory }: SessionRef, given: OpenCodeCallOptions = {}): Promise<readonly Todo[]> =>
      call('read the to-do list', 'always', given, (signal) =>
        sdk().session.todo({ sessionID: sessionId, directory }, { signal }),
      ),

    /** What the session changed, by OpenCode's own snapshots: empty when the config says `snapshot: false`. */
    diff: (
      { sessionId, directory }: SessionRef,
      given: OpenCodeCallOptions = {},
    ): Promise<readonly SnapshotFileDiff[]> =>
      call('read the diff', 'always', given, (signal) =>
        sdk().session.diff({ sessionID: sessionId, directory }, { signal }),
      ),

    /** What can be used in this directory. The server's answer holds API keys in clear; none of them leaves this function. */
    catalog: async (directory: string, given: OpenCodeCallOptions = {}): Promise<Catalog> => {
      const [providers, agents, config] = await Promise.all([
        call('list the providers', 'always', given, (signal) => sdk().config.providers({ directory }, { signal })),
        call('list the agents', 'always', given, (signal) => sdk().app.agents({ directory }, { signal })),
        call('read the config', 'always', given, (signal) => sdk().config.get({ directory }, { signal })),
      ])
      return toCatalog(providers, agents, config)
    },
  }
}

const sdkClient = (endpoint: Endpoint, directory?: string): OpencodeClient =>
  createOpencodeClient({
    baseUrl: endpoint.url,
    headers: { authorization: authorization(endpoint) },
    // Given, so that the SDK does not put a property of Bun's on the request.
    fetch: (input: string | URL | Request, init?: RequestInit) => fetch(input, init),
    ...(directory === undefined ? {} : { directory }),
  })
