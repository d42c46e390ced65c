// What OpenCode offers in projects: what their own configuration or server makes of it, else what their server says for all.

import type { Offer } from '@switchyard/contracts'
import { listServers, type ProjectRow, type Records, readOffers, type ServerRow } from '@switchyard/records'

const NOTHING: Offer = { providers: [], agents: [], default_model: null }

export type ProjectOffer = {
  readonly offer: Offer
  /** False: what its server says for all. */
  readonly isOwn: boolean
  /** False: nobody has said anything yet. */
  readonly isKnown: boolean
  readonly branch: string | null
}

const offerOfPool = (servers: readonly ServerRow[], pool: ProjectRow['pool']): Offer | undefined =>
  (servers.find((row) => row.pool === pool && row.offer !== null) ?? servers.find((row) => row.offer !== null))
    ?.offer ?? undefined

/** By project. */
export const offersOfProjects = async (
  records: Records,
  rows: readonly Pick<ProjectRow, 'id' | 'pool'>[],
): Promise<ReadonlyMap<string, ProjectOffer>> => {
  const [servers, own] = await Promise.all([
    listServers(records.db),
    readOffers(
      records.db,
      rows.map(({ id }) => id),
    ),
  ])
  return new Map(
    rows.map(({ id, pool }) => {
      const row = own.get(id)
      const offer = row?.offer ?? offerOfPool(servers, pool)
      return [
        id,
        {
          offer: offer ?? NOTHING,
          isOwn: (row?.offer ?? null) !== null,
          isKnown: offer !== undefined,
          branch: row?.branch ?? null,
        },
      ]
    }),
  )
}

/** The names of all models, provider/model. */
export const modelsOf = ({ providers }: Offer): readonly string[] =>
  providers.flatMap(({ id, models }) => models.map((model) => `${id}/${model.id}`))
