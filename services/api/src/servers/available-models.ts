// The models and agents available in projects: from their own configuration or server, else from the shared server.

import type { AvailableModels } from '@switchyard/contracts'
import { listServers, type ProjectRow, type Records, readAvailableModels, type ServerRow } from '@switchyard/records'

const NOTHING: AvailableModels = { providers: [], agents: [], default_model: null }

export type ProjectModels = {
  readonly models: AvailableModels
  /** Whether they are specific to the project, and not those of its shared server. */
  readonly isOwn: boolean
  /** Whether any server has reported its models yet. */
  readonly isKnown: boolean
  readonly branch: string | null
}

const modelsOfPool = (servers: readonly ServerRow[], pool: ProjectRow['pool']): AvailableModels | undefined =>
  (servers.find((row) => row.pool === pool && row.offer !== null) ?? servers.find((row) => row.offer !== null))
    ?.offer ?? undefined

/** Returns the available models by project id. */
export const availableModelsOfProjects = async (
  records: Records,
  rows: readonly Pick<ProjectRow, 'id' | 'pool'>[],
): Promise<ReadonlyMap<string, ProjectModels>> => {
  const [servers, own] = await Promise.all([
    listServers(records.db),
    readAvailableModels(
      records.db,
      rows.map(({ id }) => id),
    ),
  ])
  return new Map(
    rows.map(({ id, pool }) => {
      const row = own.get(id)
      const models = row?.offer ?? modelsOfPool(servers, pool)
      return [
        id,
        {
          models: models ?? NOTHING,
          isOwn: (row?.offer ?? null) !== null,
          isKnown: models !== undefined,
          branch: row?.branch ?? null,
        },
      ]
    }),
  )
}

/** Returns all model names in the form provider/model. */
export const modelsOf = ({ providers }: AvailableModels): readonly string[] =>
  providers.flatMap(({ id, models }) => models.map((model) => `${id}/${model.id}`))
