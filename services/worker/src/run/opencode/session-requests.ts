// Handles the permission requests and questions of a task's sessions: records them, has the task's
// policy or a person answer them, and sends the replies to OpenCode.

import { isSwitchyardError, newRequestId } from '@switchyard/contracts'
import { automaticReply, type OpenCodeClient, type PermissionReply } from '@switchyard/opencode'
import { alwaysAllowed, openRequest, type RequestRow, settleRequest, unsettledRequests } from '@switchyard/records'
import type { Logger } from 'pino'
import { describeRequest, type OpenCodeRequest } from './describe-request.ts'
import { matchesPattern } from './permission-patterns.ts'
import type { TaskSession } from './task-session.ts'

/** The reply if nobody answers in time, and to questions of a task whose policy is not to ask. */
const DEFAULT_REPLY = 'reject'
const NOBODY_ANSWERED = 'Nobody answered in time. Go on without it, or say what is missing.'
const NOT_ALLOWED = 'This task runs without this permission. Go on without it, or say what is missing.'

export class SessionRequests {
  readonly #session: TaskSession
  readonly #timeoutMs: number
  readonly #logger: Logger

  /** @param timeoutMs - how long a request waits for a person. */
  constructor(session: TaskSession, timeoutMs: number, logger: Logger) {
    this.#session = session
    this.#timeoutMs = timeoutMs
    this.#logger = logger
  }

  /**
   * Brings the record and OpenCode in line: new requests are recorded or answered by the policy,
   * replies are passed on, overdue requests get the default reply, and those that are no longer
   * pending are closed.
   *
   * @param sessionIds - the task's sessions. Requests of other sessions in the same directory are
   *   ignored.
   */
  async settle(sessionIds: ReadonlySet<string>): Promise<void> {
    const { record } = this.#session
    const pending = (await this.#pending()).filter(({ request }) => sessionIds.has(request.sessionID))
    for (const request of pending) await this.#receive(request)
    const rows = await unsettledRequests(record.db, record.row.id)
    const pendingIds = new Set(pending.map(({ request }) => request.id))
    let open = 0
    for (const row of rows) if (!(await this.#tryClose(row, pendingIds))) open++
    if (open === 0 && record.row.status === 'input_required')
      await record.tryWrite({ from: ['input_required'], to: 'running' })
  }

  get #directory(): string {
    return this.#session.ref.directory
  }

  get #callOptions(): { readonly signal: AbortSignal } {
    return { signal: this.#session.signal }
  }

  async #pending(): Promise<readonly OpenCodeRequest[]> {
    const { client } = this.#session.server
    const [permissions, questions] = await Promise.all([
      client.pendingPermissions(this.#directory, this.#callOptions),
      client.pendingQuestions(this.#directory, this.#callOptions),
    ])
    return [
      ...permissions.map((request): OpenCodeRequest => ({ kind: 'permission', request })),
      ...questions.map((request): OpenCodeRequest => ({ kind: 'question', request })),
    ]
  }

  async #receive(pending: OpenCodeRequest): Promise<void> {
    const reply = await this.#policyReply(pending)
    if (reply) await this.#replyByPolicy(pending, reply)
    else await this.#open(pending)
  }

  /** @returns null if a person has to answer. */
  async #policyReply({ kind, request }: OpenCodeRequest): Promise<PermissionReply | null> {
    const policy = this.#session.record.row.permissions
    if (kind === 'question') return policy === 'ask' ? null : { reply: 'reject' }
    return automaticReply(policy) ?? ((await this.#isAlwaysAllowed(request)) ? { reply: 'once' } : null)
  }

  /**
   * OpenCode's own `always` would apply to other sessions of the directory, so it is recorded here,
   * for this task only.
   */
  async #isAlwaysAllowed({
    permission,
    patterns,
  }: {
    permission: string
    patterns: readonly string[]
  }): Promise<boolean> {
    const { record } = this.#session
    const allowed = (await alwaysAllowed(record.db, record.row.id)).filter((entry) => entry.permission === permission)
    const requested = patterns.length > 0 ? patterns : ['*']
    return requested.every((text) =>
      allowed.some((entry) => entry.patterns.some((pattern) => matchesPattern(pattern, text))),
    )
  }

  async #open(pending: OpenCodeRequest): Promise<void> {
    const { record } = this.#session
    const { row, created } = await openRequest(record.db, record.row.id, {
      id: newRequestId(),
      opencode_id: pending.request.id,
      session_id: pending.request.sessionID,
      default_reply: DEFAULT_REPLY,
      always: pending.kind === 'permission' ? pending.request.always : [],
      expires_at: new Date(Date.now() + this.#timeoutMs),
      ...describeRequest(pending),
    })
    if (!created || row.settled_at) return
    await record.tryWrite({
      from: ['running', 'input_required'],
      ...(record.row.status === 'running' ? { to: 'input_required' as const } : {}),
      events: [
        {
          type: 'task_input_required',
          message: row.title,
          source_key: `request:${row.opencode_id}`,
          data: {
            request_id: row.id,
            kind: row.kind,
            permission: row.permission,
            patterns: row.patterns,
            questions: row.questions,
            expires_at: row.expires_at,
            default_reply: row.default_reply,
          },
        },
      ],
    })
    this.#logger.info({ task_id: record.row.id, request_id: row.id, kind: row.kind }, 'input required')
  }

  /** @returns false if the request still waits for a person. */
  async #tryClose(row: RequestRow, pendingIds: ReadonlySet<string>): Promise<boolean> {
    const { record } = this.#session
    if (!pendingIds.has(row.opencode_id)) {
      await settleRequest(record.db, row.id)
      return true
    }
    if (row.reply) {
      await this.#reply(row, row.reply.reply, row.reply.message)
      return true
    }
    if (row.expires_at.getTime() > Date.now()) return false
    await this.#reply(row, DEFAULT_REPLY, NOBODY_ANSWERED)
    await record.append([
      {
        type: 'task_input_answered',
        message: `nobody answered in time: ${DEFAULT_REPLY}`,
        source_key: `request:${row.opencode_id}:default`,
        data: { request_id: row.id, reply: DEFAULT_REPLY, by: 'default' },
      },
    ])
    return true
  }

  async #reply(row: RequestRow, reply: string | readonly (readonly string[])[], message: string | null): Promise<void> {
    const request = { directory: this.#directory, requestId: row.opencode_id }
    await this.#send(async (client) => {
      if (row.kind === 'permission')
        await client.replyPermission(
          request,
          // A rejection without a message ends OpenCode's turn; with one, the agent reads why and
          // continues.
          reply === 'reject' ? { reply, message: message ?? NOT_ALLOWED } : { reply: 'once' },
          this.#callOptions,
        )
      else if (typeof reply === 'string') await client.rejectQuestion(request, this.#callOptions)
      else await client.replyQuestion(request, reply, this.#callOptions)
    })
    await settleRequest(this.#session.record.db, row.id)
  }

  async #replyByPolicy(pending: OpenCodeRequest, reply: PermissionReply): Promise<void> {
    const { kind, request } = pending
    const ref = { directory: this.#directory, requestId: request.id }
    await this.#send((client) =>
      kind === 'permission'
        ? client.replyPermission(ref, reply, this.#callOptions)
        : client.rejectQuestion(ref, this.#callOptions),
    )
    const { title } = describeRequest(pending)
    await this.#session.record.append([
      {
        type: 'task_progress',
        message: `${reply.reply === 'reject' ? 'rejected' : 'allowed'} by the permissions of the task: ${title}`,
        source_key: `request:${request.id}:policy`,
        data: { kind, reply: reply.reply, title },
      },
    ])
  }

  /**
   * Only the owner of the task replies. A request that OpenCode no longer has was answered, or its
   * turn has ended.
   */
  async #send(send: (client: OpenCodeClient) => Promise<void>): Promise<void> {
    await this.#session.record.refresh()
    try {
      await send(this.#session.server.client)
    } catch (error) {
      if (!isSwitchyardError(error, 'request_not_found')) throw error
    }
  }
}
