// Which containers and volumes are those of this installation, where the engine runs others of ours beside it: they have a mark that
// the filter sets, and that no worker can.

import { joined } from '@switchyard/docker'
import { callJson, type EngineAddress } from './engine-calls.ts'

/** The network of tasks, of which an engine has one by that name. */
const NETWORK = 'switchyard.network'
const KINDS = ['switchyard.task', 'switchyard.server', 'switchyard.namespace'] as const

export type Described = {
  readonly Id: string
  readonly Config?: { readonly Labels?: Record<string, string> | null; readonly Env?: readonly string[] | null }
  readonly HostConfig?: { readonly NetworkMode?: string }
  readonly State?: { readonly Status?: string }
}

/** As the engine lists them. */
export type Listed = { readonly Labels?: Record<string, string> | null } & Pick<Described, 'HostConfig'>

type Facts = { readonly labels: Readonly<Record<string, string>>; readonly networkMode: string | undefined }

export const factsOf = ({ Config, HostConfig }: Described): Facts => ({
  labels: Config?.Labels ?? {},
  networkMode: HostConfig?.NetworkMode,
})

export class Ours {
  readonly #engine: EngineAddress
  readonly #networks: readonly string[]
  readonly mark: Readonly<Record<string, string>>

  /** @param networks - those in which containers of this installation are; the first one is that of tasks. */
  constructor(engine: EngineAddress, networks: readonly [string, ...string[]]) {
    this.#engine = engine
    this.#networks = networks
    this.mark = { [NETWORK]: networks[0] }
  }

  async has({ labels, networkMode }: Facts): Promise<boolean> {
    if (!KINDS.some((label) => labels[label] !== undefined)) return false
    if (labels[NETWORK] !== undefined) return labels[NETWORK] === this.mark[NETWORK]
    // Made before there were marks: known by its network, or by that of the container whose namespace it joined.
    if (networkMode === undefined) return false
    if (this.#networks.includes(networkMode)) return true
    const holder = joined(networkMode)
    if (holder === undefined) return false
    const { status, json } = await callJson(this.#engine, { method: 'GET', path: `/containers/${holder}/json` })
    const found = status === 200 ? factsOf(json as Described) : undefined
    return found?.networkMode !== undefined && joined(found.networkMode) === undefined && (await this.has(found))
  }

  async only(listed: readonly Listed[]): Promise<readonly Listed[]> {
    const kept = await Promise.all(
      listed.map((each) => this.has({ labels: each.Labels ?? {}, networkMode: each.HostConfig?.NetworkMode })),
    )
    return listed.filter((_, index) => kept[index])
  }

  /**
   * False for a volume that another installation has marked. One without a mark was made before there were any, and is known by its
   * name, of which no other installation is told.
   */
  async mayHaveVolume(name: string): Promise<boolean> {
    const { json } = await callJson(this.#engine, { method: 'GET', path: `/volumes/${encodeURIComponent(name)}` })
    const mark = (json as { Labels?: Record<string, string> | null } | undefined)?.Labels?.[NETWORK]
    return mark === undefined || mark === this.mark[NETWORK]
  }
}
