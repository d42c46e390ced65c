// Everything a caller can do with sessions, for both REST and MCP.

import { createHash } from 'node:crypto'
import {
  type Ask,
  type CallResult,
  type ChangeSession,
  type CreateSession,
  isSwitchyardError,
  KEY_MARKER,
  type MessageList,
  newCallId,
  newOpenCodeMessageId,
  type SendToSession,
  type SentToSession,
  type SessionInfo,
  type SessionList,
} from '@switchyard/contracts'
import { type ProjectCall, resolveScope, type SessionDeps } from './deps.ts'
import { openSessionStream } from './event-stream.ts'
import type { SessionFeeds } from './feeds.ts'
import { sendToSession, toModelRef } from './send.ts'

/** Limit of the wait for calls in which the model works, ms. The worker continues after that. */
const MODEL_WAIT_MS = 48_000

/** Returns the marker by which a repeated call finds its session. Keys of different callers never collide. */
const markerOf = ({ caller }: ProjectCall, key: string | undefined, what: string): string =>
  key === undefined
    ? newCallId()
    : `${KEY_MARKER}${createHash('sha256')
        .update(JSON.stringify([what, caller.name, key]))
        .digest('hex')
        .slice(0, 32)}`

/** Reports a call that timed out as running, because the worker continues with it. */
const toRunning = (error: unknown): { readonly running: boolean } => {
  if (isSwitchyardError(error, 'call_timeout')) return { running: true }
  throw error
}

type SessionIdCall = Extract<
  | 'session.read'
  | 'session.delete'
  | 'session.abort'
  | 'session.share'
  | 'session.unshare'
  | 'session.unrevert'
  | 'session.asks'
  | 'session.todo'
  | 'session.changes',
  string
>

export class SessionService {
  readonly #deps: SessionDeps
  readonly #feeds: SessionFeeds

  constructor(deps: SessionDeps, feeds: SessionFeeds) {
    this.#deps = deps
    this.#feeds = feeds
  }

  /**
   * Runs a worker call whose only argument is the session id.
   *
   * @throws SwitchyardError `project_not_found`, `session_not_found`, and what the call throws
   */
  async callById<K extends SessionIdCall>(kind: K, call: ProjectCall, id: string): Promise<CallResult<K>> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const args = { ...callerArgs, session_id: id }
    // These kinds have the same arguments, but TypeScript cannot infer that from the union.
    return (await this.#deps.calls.call<SessionIdCall>(kind, args, options)) as CallResult<K>
  }

  async create(call: ProjectCall, input: CreateSession): Promise<SessionInfo> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const args = {
      ...callerArgs,
      directory: input.directory ?? null,
      worktree: input.worktree ?? null,
      parent_id: input.parentID ?? null,
      title: input.title ?? null,
      agent_name: input.agent ?? null,
      model: toModelRef(input.model),
      system: input.system ?? null,
      metadata: input.metadata ?? {},
      permissions: input.permissions ?? 'ask',
      marker: markerOf(call, input.idempotencyKey, 'create'),
    }
    return (await this.#deps.calls.call('session.create', args, options)).session
  }

  async list(
    call: ProjectCall,
    of: { readonly worktree?: string | undefined; readonly directory?: string | undefined },
    page: { readonly limit: number; readonly offset: number },
  ): Promise<SessionList> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const args = { ...callerArgs, worktree: of.worktree ?? null, directory: of.directory ?? null, ...page }
    return await this.#deps.calls.call('session.list', args, options)
  }

  async change(call: ProjectCall, id: string, input: ChangeSession): Promise<SessionInfo> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const args = { ...callerArgs, session_id: id, title: input.title ?? null, metadata: input.metadata ?? null }
    return (await this.#deps.calls.call('session.update', args, options)).session
  }

  async fork(
    call: ProjectCall,
    id: string,
    input: { readonly messageID?: string | undefined; readonly idempotencyKey?: string | undefined },
  ): Promise<SessionInfo> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const marker = markerOf(call, input.idempotencyKey, `fork ${id}`)
    const args = { ...callerArgs, session_id: id, message_id: input.messageID ?? null, marker }
    return (await this.#deps.calls.call('session.fork', args, options)).session
  }

  async revert(
    call: ProjectCall,
    id: string,
    to: { messageID: string; partID?: string | undefined },
  ): Promise<SessionInfo> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const args = { ...callerArgs, session_id: id, message_id: to.messageID, part_id: to.partID ?? null }
    return (await this.#deps.calls.call('session.revert', args, options)).session
  }

  /** Runs a turn in which the model writes AGENTS.md. */
  async init(call: ProjectCall, id: string, input: { messageID?: string | undefined; model?: SendToSession['model'] }) {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const messageID = input.messageID ?? newOpenCodeMessageId()
    const args = { ...callerArgs, session_id: id, message_id: messageID, model: toModelRef(input.model) }
    const { running } = await this.#deps.calls
      .call('session.init', args, { ...options, waitMs: MODEL_WAIT_MS })
      .catch(toRunning)
    return { running, messageID }
  }

  async compact(call: ProjectCall, id: string, model: SendToSession['model']): Promise<{ readonly running: boolean }> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const args = { ...callerArgs, session_id: id, model: toModelRef(model) }
    return await this.#deps.calls.call('session.compact', args, { ...options, waitMs: MODEL_WAIT_MS }).catch(toRunning)
  }

  async messages(call: ProjectCall, id: string, limit: number, before: string | undefined): Promise<MessageList> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const args = { ...callerArgs, session_id: id, limit, before: before ?? null }
    return await this.#deps.calls.call('session.messages', args, options)
  }

  async send(call: ProjectCall, id: string, input: SendToSession, waitMs: number): Promise<SentToSession> {
    return await sendToSession(this.#deps, call, id, input, waitMs)
  }

  /** Replies to a permission request and returns the remaining requests. @throws SwitchyardError `request_not_found` */
  async permission(
    call: ProjectCall,
    id: string,
    requestId: string,
    input: { reply: 'once' | 'always' | 'reject'; message?: string | undefined },
  ): Promise<readonly Ask[]> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    await this.#deps.calls.call(
      'session.permission',
      { ...callerArgs, session_id: id, request_id: requestId, ...input },
      options,
    )
    return (await this.callById('session.asks', call, id)).asks
  }

  /**
   * Answers a question and returns the remaining requests.
   *
   * @param answers - null declines to answer
   * @throws SwitchyardError `request_not_found`, `invalid_request`
   */
  async question(
    call: ProjectCall,
    id: string,
    requestId: string,
    answers: readonly (readonly string[])[] | null,
  ): Promise<readonly Ask[]> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    const given = answers?.map((labels) => [...labels]) ?? null
    await this.#deps.calls.call(
      'session.question',
      { ...callerArgs, session_id: id, request_id: requestId, answers: given },
      options,
    )
    return (await this.callById('session.asks', call, id)).asks
  }

  async diff(call: ProjectCall, id: string, messageId: string | undefined): Promise<CallResult<'session.diff'>> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    return await this.#deps.calls.call(
      'session.diff',
      { ...callerArgs, session_id: id, message_id: messageId ?? null },
      options,
    )
  }

  async findFiles(call: ProjectCall, id: string, query: string, limit: number): Promise<readonly string[]> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    return (await this.#deps.calls.call('session.find', { ...callerArgs, session_id: id, query, limit }, options)).files
  }

  async files(call: ProjectCall, id: string, path: string): Promise<CallResult<'session.files'>> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    return await this.#deps.calls.call('session.files', { ...callerArgs, session_id: id, path }, options)
  }

  /** @param range - in bytes. @throws SwitchyardError `path_outside_workspace`, `file_not_found` */
  async file(
    call: ProjectCall,
    id: string,
    path: string,
    range: { readonly offset: number; readonly limit: number },
  ): Promise<CallResult<'session.file'>> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    return await this.#deps.calls.call('session.file', { ...callerArgs, session_id: id, path, ...range }, options)
  }

  async patch(call: ProjectCall, id: string, path: string): Promise<string> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    return (await this.#deps.calls.call('session.patch', { ...callerArgs, session_id: id, path }, options)).patch
  }

  /**
   * Returns the session's events as server-sent events. The stream closes when the reader disconnects or loses access.
   *
   * @param after - the id of the last event that the reader has; undefined starts at the beginning of the session
   * @param disconnect - closes the connection of a reader that has stopped reading
   * @throws SwitchyardError `project_not_found`, `session_not_found`, `invalid_request`
   */
  async stream(
    call: ProjectCall,
    id: string,
    after: string | undefined,
    disconnect: () => void,
  ): Promise<ReadableStream<Uint8Array>> {
    // Readers share calls, so the signal of one connection must not abort them.
    const { signal: _, ...withoutSignal } = call
    const { row } = await resolveScope(this.#deps, withoutSignal)
    const { metrics, logger } = this.#deps
    return await openSessionStream({
      id,
      after,
      resolveScope: () => resolveScope(this.#deps, { ...withoutSignal, project: row.id }),
      feeds: this.#feeds,
      metrics,
      logger,
      disconnect,
    })
  }
}
