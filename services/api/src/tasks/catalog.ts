// The models and agents that workers report for the OpenCode servers; kept for a few seconds, since every accept asks.

import { SwitchyardError } from '@switchyard/contracts'
import { listServers, type Records, type ServerRow } from '@switchyard/records'

const FRESH_MS = 5_000

type AvailableNames = {
  readonly models: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
  readonly hasModel: boolean
}

const availableNamesOf = (servers: readonly ServerRow[]): AvailableNames | null => {
  const catalogs = servers
    .filter((server) => server.state === 'up' || server.state === 'busy')
    .flatMap((server) => (server.catalog ? [server.catalog] : []))
  if (catalogs.length === 0) return null
  const providers = catalogs.flatMap((catalog) => catalog.providers)
  return {
    models: new Set(providers.flatMap(({ id, models }) => models.map((model) => `${id}/${model}`))),
    agents: new Set(catalogs.flatMap((catalog) => catalog.agents)),
    hasModel: providers.length > 0 || catalogs.some((catalog) => catalog.default_model !== null),
  }
}

export type Wanted = { readonly model: string | null; readonly agent: string | null }

export class Catalog {
  readonly #records: Records
  #available: AvailableNames | null = null
  #readAt = 0
  #reading: Promise<void> | undefined

  constructor(records: Records) {
    this.#records = records
  }

  #read(): Promise<void> {
    this.#reading ??= listServers(this.#records.db)
      .then((servers) => {
        this.#available = availableNamesOf(servers)
        this.#readAt = Date.now()
      })
      .finally(() => {
        this.#reading = undefined
      })
    return this.#reading
  }

  /**
   * Checks what a task without a repository names; one with a repository may bring models and agents of its own.
   * While no server has reported its models, everything passes: the worker finds out.
   *
   * @throws SwitchyardError `model_not_found`, `agent_not_found`, `no_model_configured`
   */
  async check(wanted: Wanted): Promise<void> {
    if (Date.now() - this.#readAt > FRESH_MS) await this.#read()
    if (!this.#problem(wanted)) return
    // What is kept may be older than the server's configuration: nobody is refused on a memory.
    await this.#read()
    const problem = this.#problem(wanted)
    if (problem) throw problem
  }

  #problem({ model, agent }: Wanted): SwitchyardError | undefined {
    const available = this.#available
    if (!available) return undefined
    if (model === null && !available.hasModel)
      return new SwitchyardError('no_model_configured', 'no model was named and the OpenCode server has no provider')
    if (model !== null && !available.models.has(model))
      return new SwitchyardError('model_not_found', `model ${model} is not available on any OpenCode server`)
    if (agent !== null && !available.agents.has(agent))
      return new SwitchyardError('agent_not_found', `no OpenCode server has an agent named ${agent}`)
    return undefined
  }
}
