// The OpenCode session of a task: made once, found again by a later owner, prompted once.

import { setTimeout as delay } from 'node:timers/promises'
import type { PermissionRule } from '@opencode-ai/sdk/v2'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import { type OpenCodeServer, permissionRules, type SessionRef } from '@switchyard/opencode'
import type { RunRecord } from '../run-record.ts'
import type { PromptOptions } from './deliver-messages.ts'

export const CONTINUE =
  'The previous turn was interrupted before it ended. Look at the state of the working directory, then continue the task ' +
  'from where it stopped. Do not repeat what is done already.'

const titleOf = (record: RunRecord): string =>
  `${record.row.id} ${record.row.description.split('\n', 1)[0]?.slice(0, 60) ?? ''}`.trim()

/** A connection may break while the server stays up. */
const BETWEEN_TRIES_MS = 200

/** Waits until the server answers again; the signal ends it. */
export const untilBack = async (server: OpenCodeServer, signal: AbortSignal): Promise<void> => {
  await delay(BETWEEN_TRIES_MS, undefined, { signal })
  await server.ready({ signal })
}

/**
 * The task's session: the recorded one, else one that was made and did not come to be recorded, by an earlier owner or
 * because the answer was lost, else a new one. Every task has its directory for itself, so its title tells the session
 * apart. A server that is away is waited for.
 *
 * @throws SwitchyardError `session_lost` where the recorded one is gone: what it had done must not be done twice;
 *   `agent_not_found`, and those of the client.
 */
export const openSession = async (
  record: RunRecord,
  server: OpenCodeServer,
  directory: string,
  signal: AbortSignal,
): Promise<SessionRef> => {
  let mayBeThere = record.row.attempt > 1
  for (;;) {
    try {
      return await findOrCreate(record, server, directory, mayBeThere, signal)
    } catch (error) {
      if (!isSwitchyardError(error, 'opencode_unavailable')) throw error
      mayBeThere = true
      await untilBack(server, signal)
    }
  }
}

const findOrCreate = async (
  record: RunRecord,
  server: OpenCodeServer,
  directory: string,
  mayBeThere: boolean,
  signal: AbortSignal,
): Promise<SessionRef> => {
  const { row } = record
  if (row.session_id !== null) {
    await server.client.session({ sessionId: row.session_id, directory }, { signal })
    return { sessionId: row.session_id, directory }
  }
  const orphan = mayBeThere
    ? (await server.client.sessions(directory, { signal })).find((session) => session.title.startsWith(row.id))
    : undefined
  if (orphan) return { sessionId: orphan.id, directory }
  const permission = permissionRules(row.permissions, await agentRules(server, directory, row.agent, signal))
  const session = await server.client.createSession({ directory, title: titleOf(record), permission }, { signal })
  return { sessionId: session.id, directory }
}

/** What the agent itself may not do stays so under every policy. @throws SwitchyardError `agent_not_found` */
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
    `agent "${name}" is not known here; there are ${agents.map((known) => known.name).join(', ')}`,
  )
}

/** Sends the prompt whose id is on the record, unless the session has it already. */
export const promptOnce = async (
  record: RunRecord,
  server: OpenCodeServer,
  place: SessionRef,
  options: PromptOptions,
  mayBeThere: boolean,
  signal: AbortSignal,
): Promise<void> => {
  const { prompt_id: messageId, recoveries, description } = record.row
  if (messageId === null) throw new Error('a prompt id is recorded before a prompt is sent')
  if (mayBeThere && (await server.client.message({ ...place, messageId }, { signal }))) return
  await server.client.promptAsync(
    { ...place, ...options, messageId, text: recoveries > 0 ? CONTINUE : description },
    { signal },
  )
}
