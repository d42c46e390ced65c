// Everything a caller can do with sessions, whichever way it came in: REST or MCP.

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
import { type On, type SessionDeps, scopeOf } from './deps.ts'
import { openSessionStream } from './event-stream.ts'
import type { SessionFeeds } from './feeds.ts'
import { sendToSession, toModelRef } from './send.ts'

/** The worker answers these when the model has, within this, ms; longer ones go on. */
const MODEL_WAIT_MS = 48_000

/** A key is its caller's own: another's with the same words makes another session. */
const markerOf = ({ caller }: On, key: string | undefined, what: string): string =>
  key === undefined
    ? newCallId()
    : `${KEY_MARKER}${createHash('sha256')
        .update(JSON.stringify([what, caller.name, key]))
        .digest('hex')
        .slice(0, 32)}`

/** The worker goes on with what it has not answered yet. */
const orRunning = (error: unknown): { readonly running: boolean } => {
  if (isSwitchyardError(error, 'call_timeout')) return { running: true }
  throw error
}

type OneKind = Extract<
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

  /** A call that needs no more than the session's id. @throws SwitchyardError `project_not_found`, `session_not_found`, … */
  async one<K extends OneKind>(kind: K, on: On, id: string): Promise<CallResult<K>> {
    const { who, options } = await scopeOf(this.#deps, on)
    const args = { ...who, session_id: id }
    // What these kinds take is the same; TypeScript does not see it through the union.
    return (await this.#deps.calls.call<OneKind>(kind, args, options)) as CallResult<K>
  }

  async create(on: On, input: CreateSession): Promise<SessionInfo> {
    const { who, options } = await scopeOf(this.#deps, on)
    const args = {
      ...who,
      directory: input.directory ?? null,
      worktree: input.worktree ?? null,
      parent_id: input.parentID ?? null,
      title: input.title ?? null,
      agent_name: input.agent ?? null,
      model: toModelRef(input.model),
      system: input.system ?? null,
      metadata: input.metadata ?? {},
      permissions: input.permissions ?? 'ask',
      marker: markerOf(on, input.idempotencyKey, 'create'),
    }
    return (await this.#deps.calls.call('session.create', args, options)).session
  }

  async list(
    on: On,
    of: { readonly worktree?: string | undefined; readonly directory?: string | undefined },
    page: { readonly limit: number; readonly offset: number },
  ): Promise<SessionList> {
    const { who, options } = await scopeOf(this.#deps, on)
    const args = { ...who, worktree: of.worktree ?? null, directory: of.directory ?? null, ...page }
    return await this.#deps.calls.call('session.list', args, options)
  }

  async change(on: On, id: string, input: ChangeSession): Promise<SessionInfo> {
    const { who, options } = await scopeOf(this.#deps, on)
    const args = { ...who, session_id: id, title: input.title ?? null, metadata: input.metadata ?? null }
    return (await this.#deps.calls.call('session.update', args, options)).session
  }

  async fork(
    on: On,
    id: string,
    input: { readonly messageID?: string | undefined; readonly idempotencyKey?: string | undefined },
  ): Promise<SessionInfo> {
    const { who, options } = await scopeOf(this.#deps, on)
    const marker = markerOf(on, input.idempotencyKey, `fork ${id}`)
    const args = { ...who, session_id: id, message_id: input.messageID ?? null, marker }
    return (await this.#deps.calls.call('session.fork', args, options)).session
  }

  async revert(on: On, id: string, to: { messageID: string; partID?: string | undefined }): Promise<SessionInfo> {
    const { who, options } = await scopeOf(this.#deps, on)
    const args = { ...who, session_id: id, message_id: to.messageID, part_id: to.partID ?? null }
    return (await this.#deps.calls.call('session.revert', args, options)).session
  }

  /** Has the model write AGENTS.md. */
  async init(on: On, id: string, input: { messageID?: string | undefined; model?: SendToSession['model'] }) {
    const { who, options } = await scopeOf(this.#deps, on)
    const messageID = input.messageID ?? newOpenCodeMessageId()
    const args = { ...who, session_id: id, message_id: messageID, model: toModelRef(input.model) }
    const { running } = await this.#deps.calls
      .call('session.init', args, { ...options, waitMs: MODEL_WAIT_MS })
      .catch(orRunning)
    return { running, messageID }
  }

  async compact(on: On, id: string, model: SendToSession['model']): Promise<{ readonly running: boolean }> {
    const { who, options } = await scopeOf(this.#deps, on)
    const args = { ...who, session_id: id, model: toModelRef(model) }
    return await this.#deps.calls.call('session.compact', args, { ...options, waitMs: MODEL_WAIT_MS }).catch(orRunning)
  }

  async messages(on: On, id: string, limit: number, before: string | undefined): Promise<MessageList> {
    const { who, options } = await scopeOf(this.#deps, on)
    const args = { ...who, session_id: id, limit, before: before ?? null }
    return await this.#deps.calls.call('session.messages', args, options)
  }

  async send(on: On, id: string, input: SendToSession, waitMs: number): Promise<SentToSession> {
    return await sendToSession(this.#deps, on, id, input, waitMs)
  }

  /** The asks that are left. @throws SwitchyardError `request_not_found` */
  async permission(
    on: On,
    id: string,
    requestId: string,
    input: { reply: 'once' | 'always' | 'reject'; message?: string | undefined },
  ): Promise<readonly Ask[]> {
    const { who, options } = await scopeOf(this.#deps, on)
    await this.#deps.calls.call(
      'session.permission',
      { ...who, session_id: id, request_id: requestId, ...input },
      options,
    )
    return (await this.one('session.asks', on, id)).asks
  }

  /** The asks that are left. @param answers - null: declines. @throws SwitchyardError `request_not_found`, `invalid_request` */
  async question(
    on: On,
    id: string,
    requestId: string,
    answers: readonly (readonly string[])[] | null,
  ): Promise<readonly Ask[]> {
    const { who, options } = await scopeOf(this.#deps, on)
    const given = answers?.map((labels) => [...labels]) ?? null
    await this.#deps.calls.call(
      'session.question',
      { ...who, session_id: id, request_id: requestId, answers: given },
      options,
    )
    return (await this.one('session.asks', on, id)).asks
  }

  async diff(on: On, id: string, messageId: string | undefined): Promise<CallResult<'session.diff'>> {
    const { who, options } = await scopeOf(this.#deps, on)
    return await this.#deps.calls.call(
      'session.diff',
      { ...who, session_id: id, message_id: messageId ?? null },
      options,
    )
  }

  async findFiles(on: On, id: string, query: string, limit: number): Promise<readonly string[]> {
    const { who, options } = await scopeOf(this.#deps, on)
    return (await this.#deps.calls.call('session.find', { ...who, session_id: id, query, limit }, options)).files
  }

  async files(on: On, id: string, path: string): Promise<CallResult<'session.files'>> {
    const { who, options } = await scopeOf(this.#deps, on)
    return await this.#deps.calls.call('session.files', { ...who, session_id: id, path }, options)
  }

  /** @param range - bytes. @throws SwitchyardError `path_outside_workspace`, `file_not_found` */
  async file(
    on: On,
    id: string,
    path: string,
    range: { readonly offset: number; readonly limit: number },
  ): Promise<CallResult<'session.file'>> {
    const { who, options } = await scopeOf(this.#deps, on)
    return await this.#deps.calls.call('session.file', { ...who, session_id: id, path, ...range }, options)
  }

  async patch(on: On, id: string, path: string): Promise<string> {
    const { who, options } = await scopeOf(this.#deps, on)
    return (await this.#deps.calls.call('session.patch', { ...who, session_id: id, path }, options)).patch
  }

  /**
   * The session's events as server-sent events. It ends when the reader goes, or may no longer use the project.
   *
   * @param after - the id of the last event that the reader has; undefined: from the session's beginning.
   * @throws SwitchyardError `project_not_found`, `session_not_found`, `invalid_request`
   */
  async stream(on: On, id: string, after: string | undefined, cutOff: () => void): Promise<ReadableStream<Uint8Array>> {
    // The connection's signal would end the calls that other readers share.
    const { signal: _, ...whose } = on
    const { row } = await scopeOf(this.#deps, whose)
    const { metrics, logger } = this.#deps
    return await openSessionStream({
      id,
      after,
      scope: () => scopeOf(this.#deps, { ...whose, project: row.id }),
      feeds: this.#feeds,
      metrics,
      logger,
      cutOff,
    })
  }
}
