// Lists the OpenCode servers, and configures the dedicated server of a project.

import type { Config } from '@switchyard/config'
import { type ConfigureServer, type ServerInfo, SwitchyardError } from '@switchyard/contracts'
import { configureServer, dedicatedServerId, type Records, requestOfServer } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'
import { findUsableProject } from '../access/projects.ts'
import { checkSettings } from './check-settings.ts'
import { listAllServers } from './read-servers.ts'

export type ServerServiceDeps = { readonly config: Pick<Config, 'projectServers'>; readonly records: Records }

const isPortTaken = (error: unknown): boolean => error instanceof Error && /project_servers_port/.test(error.message)

export class ServerService {
  readonly #deps: ServerServiceDeps

  constructor(deps: ServerServiceDeps) {
    this.#deps = deps
  }

  async list(): Promise<readonly ServerInfo[]> {
    const { config, records } = this.#deps
    return await listAllServers(records, config.projectServers.memoryLimit)
  }

  /**
   * Changes the settings of a project's dedicated server.
   *
   * @param project - a project id, or a repository's URL
   * @throws SwitchyardError `project_not_found`, `invalid_request`; `control_not_possible` if it has no dedicated server
   */
  async configure(caller: Caller, project: string, settings: ConfigureServer): Promise<ServerInfo> {
    const { records } = this.#deps
    const row = await findUsableProject(records, caller, project)
    if (row.isolation !== 'dedicated')
      throw new SwitchyardError('control_not_possible', `${row.url} has no dedicated server`, {
        hint: 'Call opencode_project_start with isolation "dedicated" first.',
      })
    const { restart, memory_limit_bytes: memoryLimit, ...rest } = checkSettings(settings)
    const set = { ...rest, ...(memoryLimit === undefined ? {} : { memory_limit: memoryLimit }) }
    await configureServer(records.db, row.id, set).catch((error: unknown) => {
      if (!isPortTaken(error)) throw error
      throw new SwitchyardError('invalid_request', `port ${settings.port} is assigned to another project`, {
        cause: error,
      })
    })
    if (restart) await requestOfServer(records.db, row.id, 'restart')
    const found = (await this.list()).find(({ id }) => id === dedicatedServerId(row.id))
    if (!found) throw new Error(`the server of ${row.id} is not in the list`)
    return found
  }
}
