// Reports the OpenCode server's state and its available models, for the api's checks and /health.

import type { AvailableModels, Pool } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'
import { repeat } from '@switchyard/process'
import { lastLive, listOwnedDirectories, type Records, reportServer, type ServerCatalog } from '@switchyard/records'
import type { Logger } from 'pino'
import { toAvailableModels } from '../servers/available-models.ts'
import { busyDirectories, liveDirectories } from '../servers/live-directories.ts'

const INTERVAL_MS = 5_000
/** The catalog changes with the server's configuration, hence with its restart; this is for the rest, ms. */
const CATALOG_MS = 60_000

export type ServerReport = {
  /** True once the record says that the server works: from then on this worker can be given tasks. */
  readonly wasUp: () => boolean
  readonly stop: () => Promise<void>
}

export const startServerReport = (
  records: Records,
  server: OpenCodeServer,
  { directory, pool }: { readonly directory: string; readonly pool: Pool },
  logger: Logger,
): ServerReport => {
  let catalog: ServerCatalog | null = null
  let models: AvailableModels | null = null
  let catalogAt = 0
  let wasUp = false

  const learned = lastLive(records.db, server.id)
    .then((live) => server.learn(busyDirectories(live)))
    .catch((error: Error) => logger.debug({ err: error.message }, 'what worked on the server was not read'))

  const readCatalog = async () => {
    if (server.state().status !== 'up' || Date.now() - catalogAt < CATALOG_MS) return
    const found = await server.client.catalog(directory)
    catalog = {
      providers: found.providers.map((provider) => ({
        id: provider.id,
        models: provider.models.map((model) => model.id),
      })),
      agents: found.agents.map((agent) => agent.name),
      default_model: found.defaultModel,
    }
    models = toAvailableModels(found)
    catalogAt = Date.now()
  }

  const report = async () => {
    // Before the record is written over.
    await learned
    await readCatalog().catch((error: Error) => logger.debug({ err: error.message }, 'the catalog was not read'))
    const { status, version, error, url, pid, lastHealthAt } = server.state()
    await reportServer(records.db, {
      id: server.id,
      state: status,
      version: version ?? null,
      detail: error?.message ?? null,
      catalog,
      kind: server.kind,
      pool,
      url: url ?? null,
      pid: pid ?? null,
      memory_bytes: (await server.memory().catch(() => undefined)) ?? null,
      busy_sessions: server.busy().length,
      last_health_at: lastHealthAt,
      models,
      live: liveDirectories(server, await listOwnedDirectories(records.db)),
    })
    wasUp ||= status === 'up' || status === 'busy'
  }

  const reporting = repeat({ name: 'server report', everyMs: INTERVAL_MS, work: report, logger })
  const off = server.onState(() => {
    catalogAt = 0
    reporting.runNow()
  })
  reporting.runNow()
  return {
    wasUp: () => wasUp,
    stop: async () => {
      off()
      await reporting.stop()
    },
  }
}
