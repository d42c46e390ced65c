// Memory blocks of agents of a Letta server: one for each task, made, attached and written, and in the end detached and deleted.

import type { Letta } from '@letta-ai/letta-client'
import type { TaskId } from '@switchyard/contracts'
import { type Failed, failed } from '../outcome.ts'
import { type CallOptions, type LettaOptions, lettaClient, whatIsMissing } from './client.ts'
import { failureOf, statusOf } from './failure.ts'

/** Characters of a block: what Letta gives one that says nothing, in its oldest versions. */
const LIMIT = 5_000

const DESCRIPTION =
  'The state of a coding task that you gave to Switchyard, kept up to date by it. Read only; it goes some time after the end.'

export type LettaBlock = {
  readonly taskId: TaskId
  readonly agentId: string
  /** Null until it is known. */
  readonly blockId: string | null
}

export type Written = { readonly kind: 'written'; readonly blockId: string }
export type Removed = { readonly kind: 'removed' }
/** Somebody has deleted it in Letta, and wants none. */
export type Gone = { readonly kind: 'gone' }

/** The label under which an agent sees the block. */
const labelOf = (taskId: TaskId): string => `opencode_workspace_${taskId}`

export class LettaBlocks {
  readonly #client: Letta
  readonly #timeoutMs: number

  constructor(options: LettaOptions) {
    this.#client = lettaClient(options)
    this.#timeoutMs = options.timeoutMs
  }

  /**
   * Writes the block, and makes and attaches it before where that was not done. Never throws.
   *
   * @param value - what it holds, within so many characters.
   */
  async write(block: LettaBlock, value: (limit: number) => string): Promise<Written | Gone | Failed> {
    const options = this.#options()
    try {
      if (block.blockId === null) return await this.#make(block, value, options)
      const known = await this.#client.blocks.retrieve(block.blockId, options).catch(unlessGone)
      if (!known) return { kind: 'gone' }
      await this.#client.blocks.update(known.id, { value: value(known.limit ?? LIMIT) }, options)
      return { kind: 'written', blockId: known.id }
    } catch (error) {
      return await this.#explain(error, block.agentId, options)
    }
  }

  /** Takes it from its agent and deletes it; one that is gone already is removed. Never throws. */
  async remove(block: LettaBlock): Promise<Removed | Failed> {
    const options = this.#options()
    try {
      const id = block.blockId ?? (await this.#find(block.taskId, options))?.id
      if (id !== undefined) {
        await this.#client.agents.blocks.detach(id, { agent_id: block.agentId }, options).catch(unlessGone)
        await this.#client.blocks.delete(id, options).catch(unlessGone)
      }
      return { kind: 'removed' }
    } catch (error) {
      return failureOf(error, this.#timeoutMs)
    }
  }

  #options(): CallOptions {
    return { signal: AbortSignal.timeout(this.#timeoutMs) }
  }

  /** One that an earlier attempt made, before it could be written down here. */
  async #find(taskId: TaskId, options: CallOptions) {
    const label = labelOf(taskId)
    const page = await this.#client.blocks.list({ label, limit: 10 }, options)
    return page.items.find((found) => found.label === label)
  }

  async #make(
    { taskId, agentId }: LettaBlock,
    value: (limit: number) => string,
    options: CallOptions,
  ): Promise<Written | Failed> {
    // First of all: an agent that is not there would leave a block of nobody.
    const attached = await this.#client.agents.blocks.list(agentId, {}, options)
    if (!Array.isArray(attached.items)) return failed('letta_not_there', 'what it answers is not Letta’s')
    const label = labelOf(taskId)
    const earlier = attached.items.find((block) => block.label === label) ?? (await this.#find(taskId, options))
    const found = earlier
      ? await this.#client.blocks.update(earlier.id, { value: value(earlier.limit ?? LIMIT) }, options)
      : await this.#client.blocks.create(
          { label, value: value(LIMIT), limit: LIMIT, description: DESCRIPTION },
          options,
        )
    if (!attached.items.some(({ id }) => id === found.id))
      await this.#client.agents.blocks.attach(found.id, { agent_id: agentId }, options)
    return { kind: 'written', blockId: found.id }
  }

  async #explain(error: unknown, agentId: string, options: CallOptions): Promise<Failed> {
    const failure = failureOf(error, this.#timeoutMs)
    const missing = failure.httpStatus === 404 ? await whatIsMissing(this.#client, agentId, options) : null
    return missing === null ? failure : failed(missing, `Letta answered ${failure.httpStatus}`, { httpStatus: 404 })
  }
}

const unlessGone = (error: unknown): undefined => {
  if (statusOf(error) !== 404) throw error
}
