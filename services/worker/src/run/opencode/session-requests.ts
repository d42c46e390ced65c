// Permission asks and questions of a session: recorded, answered by policy or by a person, passed on to OpenCode.

import type { PermissionRequest, QuestionRequest } from '@opencode-ai/sdk/v2'
import { isSwitchyardError, newRequestId, type TaskRequest } from '@switchyard/contracts'
import { type OpenCodeClient, type OpenCodeServer, type PermissionReply, standingReply } from '@switchyard/opencode'
import { alwaysAllowed, openRequest, type RequestRow, settleRequest, unsettledRequests } from '@switchyard/records'
import type { Logger } from 'pino'
import type { RunRecord } from '../run-record.ts'

type Ask =
  | { readonly kind: 'permission'; readonly ask: PermissionRequest }
  | { readonly kind: 'question'; readonly ask: QuestionRequest }

/** The answer that is given when nobody answers in time, or when the policy has no one to ask. */
const DEFAULT_REPLY = 'reject'
const NOBODY_ANSWERED = 'Nobody answered in time. Go on without it, or say what is missing.'
const NOT_ALLOWED = 'This task runs without this permission. Go on without it, or say what is missing.'

export class Requests {
  readonly #record: RunRecord
  readonly #server: OpenCodeServer
  readonly #directory: string
  readonly #timeoutMs: number
  readonly #given: { readonly signal: AbortSignal }
  readonly #logger: Logger

  constructor(
    record: RunRecord,
    server: OpenCodeServer,
    directory: string,
    timeoutMs: number,
    signal: AbortSignal,
    logger: Logger,
  ) {
    this.#record = record
    this.#server = server
    this.#directory = directory
    this.#timeoutMs = timeoutMs
    this.#given = { signal }
    this.#logger = logger
  }

  /**
   * Brings the record and OpenCode together: new asks are recorded or answered by policy, answers are passed on,
   * overdue ones get their default, and those that OpenCode no longer asks are closed.
   *
   * @param sessionIds - the task's sessions; asks of others in the same directory are not ours.
   */
  async settle(sessionIds: ReadonlySet<string>): Promise<void> {
    const asks = (await this.#pending()).filter(({ ask }) => sessionIds.has(ask.sessionID))
    for (const ask of asks) await this.#meet(ask)
    const rows = await unsettledRequests(this.#record.db, this.#record.row.id)
    const asked = new Set(asks.map(({ ask }) => ask.id))
    let waiting = 0
    for (const row of rows) if (!(await this.#close(row, asked))) waiting++
    if (waiting === 0 && this.#record.row.status === 'input_required')
      await this.#record.tryWrite({ from: ['input_required'], to: 'running' })
  }

  async #pending(): Promise<readonly Ask[]> {
    const [permissions, questions] = await Promise.all([
      this.#server.client.pendingPermissions(this.#directory, this.#given),
      this.#server.client.pendingQuestions(this.#directory, this.#given),
    ])
    return [
      ...permissions.map((ask): Ask => ({ kind: 'permission', ask })),
      ...questions.map((ask): Ask => ({ kind: 'question', ask })),
    ]
  }

  async #meet(asked: Ask): Promise<void> {
    const policy = this.#record.row.permissions
    if (asked.kind === 'permission') {
      const reply =
        standingReply(policy) ?? ((await this.#isAlwaysAllowed(asked.ask)) ? { reply: 'once' as const } : null)
      if (reply) return this.#answer(asked, reply)
    } else if (policy !== 'ask') return this.#answer(asked, { reply: 'reject' })
    await this.#open(asked)
  }

  /** `always` of OpenCode reaches other sessions of the directory, so it is kept here, for this task alone. */
  async #isAlwaysAllowed(ask: PermissionRequest): Promise<boolean> {
    const allowed = (await alwaysAllowed(this.#record.db, this.#record.row.id)).filter(
      (entry) => entry.permission === ask.permission,
    )
    const asked = ask.patterns.length > 0 ? ask.patterns : ['*']
    return asked.every((text) => allowed.some((entry) => entry.patterns.some((pattern) => matches(pattern, text))))
  }

  async #open(asked: Ask): Promise<void> {
    const { row, created } = await openRequest(this.#record.db, this.#record.row.id, {
      id: newRequestId(),
      opencode_id: asked.ask.id,
      session_id: asked.ask.sessionID,
      default_reply: DEFAULT_REPLY,
      always: asked.kind === 'permission' ? asked.ask.always : [],
      expires_at: new Date(Date.now() + this.#timeoutMs),
      ...describe(asked),
    })
    if (!created || row.settled_at) return
    await this.#record.tryWrite({
      from: ['running', 'input_required'],
      ...(this.#record.row.status === 'running' ? { to: 'input_required' as const } : {}),
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
    this.#logger.info({ task_id: this.#record.row.id, request_id: row.id, kind: row.kind }, 'input required')
  }

  /** @returns true once nobody waits for this request any more. */
  async #close(row: RequestRow, asked: ReadonlySet<string>): Promise<boolean> {
    if (!asked.has(row.opencode_id)) {
      await settleRequest(this.#record.db, row.id)
      return true
    }
    if (row.reply) {
      await this.#send(row, row.reply.reply, row.reply.message)
      return true
    }
    if (row.expires_at.getTime() > Date.now()) return false
    await this.#send(row, DEFAULT_REPLY, NOBODY_ANSWERED)
    await this.#record.append([
      {
        type: 'task_input_answered',
        message: `nobody answered in time: ${DEFAULT_REPLY}`,
        source_key: `request:${row.opencode_id}:default`,
        data: { request_id: row.id, reply: DEFAULT_REPLY, by: 'default' },
      },
    ])
    return true
  }

  async #send(row: RequestRow, reply: string | readonly (readonly string[])[], message: string | null): Promise<void> {
    const request = { directory: this.#directory, requestId: row.opencode_id }
    await this.#pass(async (client) => {
      if (row.kind === 'permission')
        await client.replyPermission(
          request,
          // Without a message OpenCode ends the turn; with one the agent reads why and goes on.
          reply === 'reject' ? { reply, message: message ?? NOT_ALLOWED } : { reply: 'once' },
          this.#given,
        )
      else if (typeof reply === 'string') await client.rejectQuestion(request, this.#given)
      else await client.replyQuestion(request, reply, this.#given)
    })
    await settleRequest(this.#record.db, row.id)
  }

  /** Only the owner answers; an ask that OpenCode no longer has was answered, or went with its turn. */
  async #pass(send: (client: OpenCodeClient) => Promise<void>): Promise<void> {
    await this.#record.refresh()
    try {
      await send(this.#server.client)
    } catch (error) {
      if (!isSwitchyardError(error, 'request_not_found')) throw error
    }
  }

  async #answer(asked: Ask, reply: PermissionReply): Promise<void> {
    const request = { directory: this.#directory, requestId: asked.ask.id }
    await this.#pass((client) =>
      asked.kind === 'permission'
        ? client.replyPermission(request, reply, this.#given)
        : client.rejectQuestion(request, this.#given),
    )
    const { title } = describe(asked)
    await this.#record.append([
      {
        type: 'task_progress',
        message: `${reply.reply === 'reject' ? 'refused' : 'allowed'} by the task’s permissions: ${title}`,
        source_key: `request:${asked.ask.id}:policy`,
        data: { kind: asked.kind, reply: reply.reply, title },
      },
    ])
  }
}

/** `*` stands for any text, as in OpenCode's own patterns. */
const matches = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 's').test(text)

const describe = (asked: Ask): Pick<TaskRequest, 'kind' | 'title' | 'permission' | 'patterns' | 'questions'> => {
  if (asked.kind === 'permission') {
    const { permission, patterns } = asked.ask
    const what = patterns.filter((pattern) => pattern !== '*').join(', ')
    return {
      kind: 'permission',
      title: `May the agent use ${permission}${what ? `: ${what}` : ''}?`.slice(0, 500),
      permission,
      patterns: [...patterns],
      questions: [],
    }
  }
  return {
    kind: 'question',
    title: asked.ask.questions
      .map((question) => question.question)
      .join(' ')
      .slice(0, 500),
    permission: null,
    patterns: [],
    questions: asked.ask.questions.map((question) => ({
      question: question.question,
      header: question.header ?? null,
      options: question.options.map((option) => ({ label: option.label, description: option.description ?? null })),
      multiple: question.multiple ?? false,
    })),
  }
}
