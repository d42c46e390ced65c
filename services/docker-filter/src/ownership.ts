// Distinguishes the containers and volumes of this installation from those of other installations on
// the same engine, by a label that only the filter can set.

import { joinedHolder } from '@switchyard/docker'
import { callJson, type EngineAddress } from './engine-calls.ts'

/** The label's value is the network of tasks: its name is unique on an engine. */
const NETWORK_LABEL = 'switchyard.network'
const KIND_LABELS = ['switchyard.task', 'switchyard.server', 'switchyard.namespace'] as const

/** What the engine returns when a container is inspected, as far as the filter uses it. */
export type InspectedContainer = {
  readonly Id: string
  readonly Config?: { readonly Labels?: Record<string, string> | null; readonly Env?: readonly string[] | null }
  readonly HostConfig?: { readonly NetworkMode?: string }
  readonly State?: { readonly Status?: string }
}

/** What the engine returns for each container of a list. */
export type ListedContainer = { readonly Labels?: Record<string, string> | null } & Pick<
  InspectedContainer,
  'HostConfig'
>

export type ContainerFacts = {
  readonly labels: Readonly<Record<string, string>>
  readonly networkMode: string | undefined
}

export const factsOf = ({ Config, HostConfig }: InspectedContainer): ContainerFacts => ({
  labels: Config?.Labels ?? {},
  networkMode: HostConfig?.NetworkMode,
})

export class Ownership {
  readonly #engine: EngineAddress
  readonly #networks: readonly string[]
  /** The label that marks a container or volume as one of this installation. */
  readonly label: Readonly<Record<string, string>>

  /** @param networks - the networks of this installation; the first one is that of tasks. */
  constructor(engine: EngineAddress, networks: readonly [string, ...string[]]) {
    this.#engine = engine
    this.#networks = networks
    this.label = { [NETWORK_LABEL]: networks[0] }
  }

  /** Returns whether a container belongs to this installation. */
  async owns({ labels, networkMode }: ContainerFacts): Promise<boolean> {
    if (!KIND_LABELS.some((label) => labels[label] !== undefined)) return false
    if (labels[NETWORK_LABEL] !== undefined) return labels[NETWORK_LABEL] === this.label[NETWORK_LABEL]
    // Created before the label existed: identified by its network, or by the network of the container it joined.
    if (networkMode === undefined) return false
    if (this.#networks.includes(networkMode)) return true
    const holder = joinedHolder(networkMode)
    if (holder === undefined) return false
    const { status, json } = await callJson(this.#engine, { method: 'GET', path: `/containers/${holder}/json` })
    const found = status === 200 ? factsOf(json as InspectedContainer) : undefined
    return found?.networkMode !== undefined && joinedHolder(found.networkMode) === undefined && (await this.owns(found))
  }

  /** Returns the containers of a list that belong to this installation. */
  async filterOwned(listed: readonly ListedContainer[]): Promise<readonly ListedContainer[]> {
    const isOwned = await Promise.all(
      listed.map((each) => this.owns({ labels: each.Labels ?? {}, networkMode: each.HostConfig?.NetworkMode })),
    )
    return listed.filter((_, index) => isOwned[index])
  }

  /**
   * Returns false for a volume with the label of another installation. A volume without a label was
   * created before the label existed; its name contains the stack's id, which other installations do
   * not know.
   */
  async mayUseVolume(name: string): Promise<boolean> {
    const { json } = await callJson(this.#engine, { method: 'GET', path: `/volumes/${encodeURIComponent(name)}` })
    const label = (json as { Labels?: Record<string, string> | null } | undefined)?.Labels?.[NETWORK_LABEL]
    return label === undefined || label === this.label[NETWORK_LABEL]
  }
}
