// Messages to agents of a Letta server (https://docs.letta.com/api). Letta runs a message in the background and never two
// of one agent at once, so a message is sent to an idle agent, and has arrived once its run has ended well.

import type { Letta } from '@letta-ai/letta-client'
import { failed, type Outcome, waiting } from '../outcome.ts'
import { type CallOptions, type LettaOptions, lettaClient, whatIsMissing } from './client.ts'
import { failureOf, statusOf } from './failure.ts'

export type LettaMessage = {
  /** Goes with the message as its `otid`: the same at every attempt. */
  readonly id: string
  readonly agentId: string
  readonly text: string
  /** The run of an earlier attempt, which is to be asked what came of it. */
  readonly runId: string | null
  /** 1 for the first attempt. Before a further one the agent's messages are searched for this one. */
  readonly attempt: number
}

/** How often a run, or an agent that is busy, is looked at, ms. */
const LOOK_MS = 2_000
/** A run that is said to be active for longer than this was lost, say by a restart of Letta, ms. */
const LOST_RUN_MS = 30 * 60_000
/** How far back a message is looked for: it was sent within the last attempts. */
const RECENT = 100

type Run = Awaited<ReturnType<Letta['runs']['retrieve']>>

const isActive = (run: Run): boolean =>
  (run.status === 'created' || run.status === 'running') && Date.now() - Date.parse(run.created_at ?? '') < LOST_RUN_MS

const reasonOf = (run: Run): string => {
  const error = run.metadata?.error
  const text = typeof error === 'string' ? error : (run.stop_reason ?? 'no reason given')
  return `the run ${run.id} failed: ${text.slice(0, 300)}`
}

export class LettaChannel {
  readonly #client: Letta
  readonly #timeoutMs: number

  constructor(options: LettaOptions) {
    this.#client = lettaClient(options)
    this.#timeoutMs = options.timeoutMs
  }

  /** Never throws: what went wrong is told in the outcome. */
  async send(message: LettaMessage): Promise<Outcome> {
    const options = { signal: AbortSignal.timeout(this.#timeoutMs) }
    try {
      if (message.runId !== null) return await this.#follow(message, message.runId, options)
      if (message.attempt > 1 && (await this.#has(message, options))) return { kind: 'arrived' }
      const runs = await this.#client.runs.list({ agent_id: message.agentId, active: true, limit: 10 }, options)
      // A web page that answers every path with 200, say.
      if (!Array.isArray(runs.items)) return failed('letta_not_there', 'what it answers is not Letta’s')
      const running = runs.items.find(isActive)
      if (running) return waiting(LOOK_MS, { why: { code: 'agent_busy', message: `the run ${running.id} is active` } })
      return await this.#post(message, options)
    } catch (error) {
      return await this.#explain(error, message, options)
    }
  }

  async #post({ id, agentId, text }: LettaMessage, options: CallOptions): Promise<Outcome> {
    // A system message is an event, as those between agents are; a user's would be answered to a person.
    const messages = [{ type: 'message' as const, role: 'system' as const, content: text, otid: id }]
    const run = await this.#client.agents.messages.createAsync(agentId, { messages }, options)
    return run.status === 'completed' ? { kind: 'arrived' } : waiting(LOOK_MS, { runId: run.id })
  }

  /** What came of a run that has the message. */
  async #follow(message: LettaMessage, runId: string, options: CallOptions): Promise<Outcome> {
    const run = await this.#client.runs.retrieve(runId, options).catch((error: unknown) => {
      if (statusOf(error) === 404) return undefined
      throw error
    })
    if (run && isActive(run)) return waiting(LOOK_MS, { runId })
    if (run?.status === 'completed' || run?.status === 'cancelled') return { kind: 'arrived' }
    // It failed, and may have done so before the message was written, or after.
    if (await this.#has(message, options)) return { kind: 'arrived' }
    return failed('agent_run_failed', run ? reasonOf(run) : `the run ${runId} is gone`)
  }

  async #has({ id, agentId }: LettaMessage, options: CallOptions): Promise<boolean> {
    const page = await this.#client.agents.messages.list(agentId, { limit: RECENT, order: 'desc' }, options)
    return page.items.some((found) => 'otid' in found && found.otid === id)
  }

  /** Letta answers an unknown agent with 404 or 409, and a busy one with 409; a path that is not Letta's is 404 too. */
  async #explain(error: unknown, { agentId, runId }: LettaMessage, options: CallOptions): Promise<Outcome> {
    const failure = failureOf(error, this.#timeoutMs)
    if (failure.httpStatus !== 404 && failure.httpStatus !== 409) return failure
    const missing = await whatIsMissing(this.#client, agentId, options)
    if (missing !== null) return failed(missing, `Letta answered ${failure.httpStatus}`, { httpStatus: 404 })
    if (failure.httpStatus === 409)
      return waiting(failure.retryAfterMs ?? LOOK_MS, { runId, why: { code: 'agent_busy', message: failure.message } })
    return failure
  }
}
