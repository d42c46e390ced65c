// Memory blocks of agents on a Letta server: one per task, created, attached and updated, and finally detached and deleted.

import type { Letta } from '@letta-ai/letta-client'
import type { TaskId } from '@switchyard/contracts'
import { type Failed, failed } from '../outcome.ts'
import { findMissing, type LettaCallOptions, type LettaOptions, lettaClient } from './client.ts'
import { failureOf, statusOf } from './failure.ts'

/** Characters of a block: the default of Letta's oldest versions. */
const LIMIT = 5_000

const DESCRIPTION =
  'The state of a coding task that you gave to Switchyard. Switchyard updates it, and removes it some time after the task has ended. Read only.'

export type LettaBlock = {
  readonly taskId: TaskId
  readonly agentId: string
  /** Null until Letta has returned it. */
  readonly blockId: string | null
}

export type Written = { readonly kind: 'written'; readonly blockId: string }
export type Removed = { readonly kind: 'removed' }
/** Somebody has deleted the block in Letta; it is not created again. */
export type Deleted = { readonly kind: 'deleted' }

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
   * Updates the block, or creates and attaches it. It never throws; a failure is returned.
   *
   * @param value - returns the content for a limit of characters.
   */
  async write(block: LettaBlock, value: (limit: number) => string): Promise<Written | Deleted | Failed> {
    const options = this.#options()
    try {
      if (block.blockId === null) return await this.#create(block, value, options)
      const known = await this.#client.blocks.retrieve(block.blockId, options).catch(ignoreNotFound)
      if (!known) return { kind: 'deleted' }
      await this.#client.blocks.update(known.id, { value: value(known.limit ?? LIMIT) }, options)
      return { kind: 'written', blockId: known.id }
    } catch (error) {
      return await this.#explain(error, block.agentId, options)
    }
  }

  /** Detaches and deletes the block. A block that no longer exists counts as removed. It never throws. */
  async remove(block: LettaBlock): Promise<Removed | Failed> {
    const options = this.#options()
    try {
      const id = block.blockId ?? (await this.#find(block.taskId, options))?.id
      if (id !== undefined) {
        await this.#client.agents.blocks.detach(id, { agent_id: block.agentId }, options).catch(ignoreNotFound)
        await this.#client.blocks.delete(id, options).catch(ignoreNotFound)
      }
      return { kind: 'removed' }
    } catch (error) {
      return failureOf(error, this.#timeoutMs)
    }
  }

  #options(): LettaCallOptions {
    return { signal: AbortSignal.timeout(this.#timeoutMs) }
  }

  /** Finds a block that an earlier attempt created but could not record. */
  async #find(taskId: TaskId, options: LettaCallOptions) {
    const label = labelOf(taskId)
    const page = await this.#client.blocks.list({ label, limit: 10 }, options)
    return page.items.find((found) => found.label === label)
  }

  async #create(
    { taskId, agentId }: LettaBlock,
    value: (limit: number) => string,
    options: LettaCallOptions,
  ): Promise<Written | Failed> {
    // Check the agent first: without it, the new block would belong to nobody.
    const attached = await this.#client.agents.blocks.list(agentId, {}, options)
    if (!Array.isArray(attached.items)) return failed('letta_not_there', 'the response is not that of a Letta server')
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

  async #explain(error: unknown, agentId: string, options: LettaCallOptions): Promise<Failed> {
    const failure = failureOf(error, this.#timeoutMs)
    const missing = failure.httpStatus === 404 ? await findMissing(this.#client, agentId, options) : null
    return missing === null ? failure : failed(missing, `Letta answered ${failure.httpStatus}`, { httpStatus: 404 })
  }
}

const ignoreNotFound = (error: unknown): undefined => {
  if (statusOf(error) !== 404) throw error
}
