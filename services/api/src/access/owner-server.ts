// Which OpenCode server the work of an API key runs on, so that keys do not share one.

import type { Config } from '@switchyard/config'
import { ownerServerId, type ProjectRow } from '@switchyard/records'
import { type Caller, isOperator } from './caller.ts'

/** Returns whether agent keys have OpenCode servers of their own: with one key there is nobody to keep apart. */
export const keysHaveServers = ({ api, opencode }: Pick<Config, 'api' | 'opencode'>): boolean =>
  opencode.serverEnabled && opencode.sharing === 'owner' && api.keys.length > 1

/**
 * Returns the id of the caller's own server, or null for the server of the project or of everyone: operators, who see
 * everything anyway, use that, and so does the key that registered a project with a dedicated server.
 */
export const ownerServerOf = (
  config: Pick<Config, 'api' | 'opencode'>,
  caller: Caller,
  project: Pick<ProjectRow, 'isolation' | 'owner_key'> | null | undefined,
): string | null => {
  if (isOperator(caller) || !keysHaveServers(config)) return null
  const isOwnProjectServer = project?.isolation === 'dedicated' && project.owner_key === caller.name
  return isOwnProjectServer ? null : ownerServerId(caller.name)
}
