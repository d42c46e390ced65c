// Opens the OpenCode session of a task: created once, found again by a later owner.

import type { PermissionRule } from '@opencode-ai/sdk/v2'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import { type OpenCodeServer, permissionRules, type SessionRef } from '@switchyard/opencode'
import type { RunRecord } from '../run-record.ts'
import { untilServerReady } from './until-server-ready.ts'

const MAX_TITLE_TEXT = 60

const titleOf = ({ row }: RunRecord): string =>
  `${row.id} ${row.description.split('\n', 1)[0]?.slice(0, MAX_TITLE_TEXT) ?? ''}`.trim()

/**
 * Returns the task's session: the recorded one; one that was created but not recorded, because its
 * owner died or the response was lost; or a new one. A session that is not recorded is found by its
 * title, which starts with the task id. Retries while the server is unavailable.
 *
 * @throws SwitchyardError `session_lost` if the recorded one is gone, because a new one would
 *   repeat its work; `agent_not_found`; those of the client.
 */
export const openSession = async (
  record: RunRecord,
  server: OpenCodeServer,
  directory: string,
  signal: AbortSignal,
): Promise<SessionRef> => {
  let mayExist = record.row.attempt > 1
  for (;;) {
    try {
      return await findOrCreate(record, server, directory, mayExist, signal)
    } catch (error) {
      if (!isSwitchyardError(error, 'opencode_unavailable')) throw error
      mayExist = true
      await untilServerReady(server, signal)
    }
  }
}

const findOrCreate = async (
  record: RunRecord,
  server: OpenCodeServer,
  directory: string,
  mayExist: boolean,
  signal: AbortSignal,
): Promise<SessionRef> => {
  const { row } = record
  if (row.session_id !== null) {
    await server.client.session({ sessionId: row.session_id, directory }, { signal })
    return { sessionId: row.session_id, directory }
  }
  const unrecorded = mayExist
    ? (await server.client.sessions(directory, { signal })).find((session) => session.title.startsWith(row.id))
    : undefined
  if (unrecorded) return { sessionId: unrecorded.id, directory }
  const permission = permissionRules(row.permissions, await agentRules(server, directory, row.agent, signal))
  const session = await server.client.createSession({ directory, title: titleOf(record), permission }, { signal })
  return { sessionId: session.id, directory }
}

/**
 * Returns the permission rules of an agent. What they deny stays denied, whatever the task's
 * permissions are.
 *
 * @throws SwitchyardError `agent_not_found`
 */
const agentRules = async (
  server: OpenCodeServer,
  directory: string,
  name: string | null,
  signal: AbortSignal,
): Promise<readonly PermissionRule[]> => {
  if (name === null) return []
  const { agents } = await server.client.catalog(directory, { signal })
  const agent = agents.find((known) => known.name === name)
  if (agent) return agent.permission
  throw new SwitchyardError(
    'agent_not_found',
    `agent "${name}" does not exist; the available agents are ${agents.map((known) => known.name).join(', ')}`,
  )
}
