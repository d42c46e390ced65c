// Describes OpenCode's sessions as the API returns them.

import type { Session } from '@opencode-ai/sdk/v2'
import {
  type OwnMetadata,
  ownMetadataSchema,
  type Permissions,
  type SessionInfo,
  type SessionStatus,
} from '@switchyard/contracts'
import type { SessionTask } from '@switchyard/records'
import type { OpenProject } from './access.ts'

/** Callers see what else there is in a session's metadata. */
const OWN = 'switchyard'

export const ownMetadata = (session: Pick<Session, 'metadata'>): OwnMetadata => {
  const parsed = ownMetadataSchema.safeParse(session.metadata?.[OWN])
  return parsed.success ? parsed.data : {}
}

export const toMetadata = (given: Readonly<Record<string, unknown>>, own: OwnMetadata): Record<string, unknown> => ({
  ...given,
  [OWN]: own,
})

export const policyOf = (session: Pick<Session, 'metadata'>): Permissions => ownMetadata(session).permissions ?? 'ask'

/** OpenCode keeps the address on a session that is no longer shared, so the session's metadata records the end. */
export const shareUrlOf = (session: Session): string | null => {
  const url = session.share?.url ?? null
  return url === ownMetadata(session).unshared ? null : url
}

const iso = (ms: number): string => new Date(ms).toISOString()

export const withoutOwn = (metadata: Session['metadata']): Record<string, unknown> =>
  Object.fromEntries(Object.entries(metadata ?? {}).filter(([key]) => key !== OWN))

export type About = {
  readonly project: OpenProject
  readonly task: SessionTask | undefined
  readonly status: SessionStatus
  readonly children: readonly string[]
  readonly messageCount: number | null
}

export const toSessionInfo = (session: Session, about: About): SessionInfo => {
  const isFree = !about.task || about.task.completed_at !== null
  return {
    id: session.id,
    title: session.title,
    projectID: about.project.row.id,
    parentID: session.parentID ?? null,
    directory: session.directory,
    worktree: about.project.sandboxes.get(session.directory) ?? null,
    taskID: about.task?.id ?? null,
    createdAt: iso(session.time.created),
    updatedAt: iso(session.time.updated),
    status: about.status,
    messageCount: about.messageCount,
    agent: session.agent ?? null,
    model: session.model ? { providerID: session.model.providerID, modelID: session.model.id } : null,
    system: ownMetadata(session).system ?? null,
    metadata: withoutOwn(session.metadata),
    children: [...about.children],
    permissions: { canEdit: isFree, canShare: true, canDelete: isFree },
    shareURL: shareUrlOf(session),
    revert: session.revert ? { messageID: session.revert.messageID } : null,
    cost: session.cost ?? 0,
  }
}
