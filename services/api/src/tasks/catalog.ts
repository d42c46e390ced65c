// Checks the model and agent of new tasks against those that workers report. Cached, because every new task needs it.

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

export type ModelAndAgent = { readonly model: string | null; readonly agent: string | null }

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
   * Checks the model and agent of a task without a repository; a repository can define models and agents itself.
   * Accepts everything until a server has reported its models; the worker then detects an unknown one.
   *
   * @throws SwitchyardError `model_not_found`, `agent_not_found`, `no_model_configured`
   */
  async check(named: ModelAndAgent): Promise<void> {
    if (Date.now() - this.#readAt > FRESH_MS) await this.#read()
    if (!this.#problem(named)) return
    // The cache may be older than the server's configuration, so no task is refused without a fresh read.
    await this.#read()
    const problem = this.#problem(named)
    if (problem) throw problem
  }

  #problem({ model, agent }: ModelAndAgent): SwitchyardError | undefined {
    const available = this.#available
    if (!available) return undefined
    if (!available.hasModel)
      return new SwitchyardError('no_model_configured', 'no OpenCode server has a model provider')
    if (model !== null && !available.models.has(model))
      return new SwitchyardError('model_not_found', `model ${model} is not available on any OpenCode server`)
    if (agent !== null && !available.agents.has(agent))
      return new SwitchyardError('agent_not_found', `no OpenCode server has an agent named ${agent}`)
    return undefined
  }
}
