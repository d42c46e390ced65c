// Messages to agents of a Letta server (https://docs.letta.com/api). Letta processes a message in a
// background run, one per agent at a time. So a message is sent to an idle agent, and it is delivered
// when its run has completed.

import type { Letta } from '@letta-ai/letta-client'
import { failed, type Outcome, waiting } from '../outcome.ts'
import { findMissing, type LettaCallOptions, type LettaOptions, lettaClient } from './client.ts'
import { failureOf, statusOf } from './failure.ts'

export type LettaMessage = {
  /** Sent as the `otid` of the message, the same for every attempt. */
  readonly id: string
  readonly agentId: string
  readonly text: string
  /** The run that an earlier attempt started; this attempt checks its outcome. */
  readonly runId: string | null
  /** 1 for the first attempt. A later one first searches the agent's messages for this one. */
  readonly attempt: number
}

/** Interval between two checks of a run or of a busy agent, ms. */
const CHECK_MS = 2_000
/** A run that has been active for longer than this is lost, for example by a restart of Letta, ms. */
const LOST_RUN_MS = 30 * 60_000
/** The number of recent messages that are searched for one of an earlier attempt. */
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

  /** Sends a message, or checks on one that was sent. It never throws; a failure is an outcome. */
  async send(message: LettaMessage): Promise<Outcome> {
    const options = { signal: AbortSignal.timeout(this.#timeoutMs) }
    try {
      if (message.runId !== null) return await this.#follow(message, message.runId, options)
      if (message.attempt > 1 && (await this.#has(message, options))) return { kind: 'delivered' }
      const runs = await this.#client.runs.list({ agent_id: message.agentId, active: true, limit: 10 }, options)
      // A web page, for example, may answer every path with 200.
      if (!Array.isArray(runs.items)) return failed('letta_not_there', 'the response is not that of a Letta server')
      const running = runs.items.find(isActive)
      if (running)
        return waiting(CHECK_MS, { reason: { code: 'agent_busy', message: `the run ${running.id} is active` } })
      return await this.#post(message, options)
    } catch (error) {
      return await this.#explain(error, message, options)
    }
  }

  async #post({ id, agentId, text }: LettaMessage, options: LettaCallOptions): Promise<Outcome> {
    // A system message is an event, like those between agents; the agent would answer a user's message to a person.
    const messages = [{ type: 'message' as const, role: 'system' as const, content: text, otid: id }]
    const run = await this.#client.agents.messages.createAsync(agentId, { messages }, options)
    return run.status === 'completed' ? { kind: 'delivered' } : waiting(CHECK_MS, { runId: run.id })
  }

  /** Returns the outcome of a run that has the message. */
  async #follow(message: LettaMessage, runId: string, options: LettaCallOptions): Promise<Outcome> {
    const run = await this.#client.runs.retrieve(runId, options).catch((error: unknown) => {
      if (statusOf(error) === 404) return undefined
      throw error
    })
    if (run && isActive(run)) return waiting(CHECK_MS, { runId })
    if (run?.status === 'completed' || run?.status === 'cancelled') return { kind: 'delivered' }
    // The run failed, either before the message was stored or after it.
    if (await this.#has(message, options)) return { kind: 'delivered' }
    return failed('agent_run_failed', run ? reasonOf(run) : `the run ${runId} no longer exists`)
  }

  async #has({ id, agentId }: LettaMessage, options: LettaCallOptions): Promise<boolean> {
    const page = await this.#client.agents.messages.list(agentId, { limit: RECENT, order: 'desc' }, options)
    return page.items.some((found) => 'otid' in found && found.otid === id)
  }

  /** Letta answers 404 or 409 for an unknown agent and 409 for a busy one; any other server answers 404 too. */
  async #explain(error: unknown, { agentId, runId }: LettaMessage, options: LettaCallOptions): Promise<Outcome> {
    const failure = failureOf(error, this.#timeoutMs)
    if (failure.httpStatus !== 404 && failure.httpStatus !== 409) return failure
    const missing = await findMissing(this.#client, agentId, options)
    if (missing !== null) return failed(missing, `Letta answered ${failure.httpStatus}`, { httpStatus: 404 })
    if (failure.httpStatus === 409)
      return waiting(failure.retryAfterMs ?? CHECK_MS, {
        runId,
        reason: { code: 'agent_busy', message: failure.message },
      })
    return failure
  }
}
