// Reports the state of the shared OpenCode server and its available models, for the api's checks
// and /health.

import type { AvailableModels, Pool } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'
import { repeat } from '@switchyard/process'
import { lastLive, listOwnedDirectories, type Records, reportServer, type ServerCatalog } from '@switchyard/records'
import type { Logger } from 'pino'
import { toAvailableModels } from '../servers/available-models.ts'
import { busyDirectories, liveDirectories } from '../servers/live-directories.ts'
import type { HostReport } from './host-report.ts'

const INTERVAL_MS = 5_000
/** The catalog is read after every change of the server's state, and this often, ms. */
const CATALOG_INTERVAL_MS = 60_000

export const startOpenCodeReport = (
  records: Records,
  server: OpenCodeServer,
  { directory, pool }: { readonly directory: string; readonly pool: Pool },
  logger: Logger,
): HostReport => {
  let catalog: ServerCatalog | null = null
  let models: AvailableModels | null = null
  let sandboxed: string | null = null
  let catalogReadAt = 0
  let wasUp = false

  // Read before the first report replaces it.
  const lastReportRead = lastLive(records.db, server.id)
    .then((live) => server.checkForActivity(busyDirectories(live)))
    .catch((error: Error) => logger.debug({ err: error.message }, 'failed to read the last report of the server'))

  const readCatalog = async () => {
    if (server.state().status !== 'up' || Date.now() - catalogReadAt < CATALOG_INTERVAL_MS) return
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
    sandboxed = found.isSandboxed ? 'commands run in sandboxes' : 'commands run without a sandbox'
    catalogReadAt = Date.now()
  }

  const report = async () => {
    await lastReportRead
    await readCatalog().catch((error: Error) => logger.debug({ err: error.message }, 'failed to read the catalog'))
    const { status, version, error, url, pid, lastHealthAt } = server.state()
    await reportServer(records.db, {
      id: server.id,
      state: status,
      version: version ?? null,
      detail: error?.message ?? sandboxed,
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
  const unsubscribe = server.onState(() => {
    catalogReadAt = 0
    reporting.runNow()
  })
  reporting.runNow()
  return {
    wasUp: () => wasUp,
    stop: async () => {
      unsubscribe()
      await reporting.stop()
    },
  }
}
