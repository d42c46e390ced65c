// Lists sessions completely, however many there are.

import type { Session } from '@opencode-ai/sdk/v2'
import type { Call, OpenCodeCallOptions } from './call.ts'
import type { Sdk } from './sdk-client.ts'

/** The limit of the first request; a session takes about 500 bytes. */
const FIRST_LIMIT = 1_000

/**
 * Requests a list with growing limits until it is complete. OpenCode's cursor is the time of the last change, so paging
 * would miss a session that changes between two pages.
 */
export const listAll = async <T>(
  list: (limit: number) => Promise<readonly T[]>,
  firstLimit = FIRST_LIMIT,
): Promise<readonly T[]> => {
  for (let limit = firstLimit; ; limit *= 10) {
    const found = await list(limit)
    if (found.length < limit) return found
  }
}

export type SessionFilter = {
  /** Leaves out the sessions of subagents. */
  readonly roots: boolean
  /** Leaves out sessions that have not changed since then, ms since 1970. */
  readonly since?: number | undefined
}

export const sessionLists = (call: Call, sdk: Sdk) => {
  /** Returns the last changed sessions of a repository, in all its worktrees and clones, with those of subagents. */
  const projectSessions = (
    directory: string,
    limit: number,
    options: OpenCodeCallOptions = {},
  ): Promise<readonly Session[]> =>
    call('list the sessions', 'always', options, (signal) =>
      sdk().session.list({ directory, scope: 'project', limit }, { signal }),
    )
  return {
    projectSessions,

    /** Returns all sessions of the repository that this directory belongs to. */
    everyProjectSession: (directory: string, options: OpenCodeCallOptions = {}): Promise<readonly Session[]> =>
      listAll((limit) => projectSessions(directory, limit, options)),

    /** Returns the sessions of all directories, last changed first, without making OpenCode load a directory. */
    everySession: (
      { roots, since }: SessionFilter,
      options: OpenCodeCallOptions = {},
    ): Promise<readonly Pick<Session, 'id' | 'directory' | 'time'>[]> =>
      listAll((limit) =>
        call('list all sessions', 'always', options, (signal) =>
          sdk().experimental.session.list(
            { limit, archived: true, ...(roots ? { roots } : {}), ...(since === undefined ? {} : { start: since }) },
            { signal },
          ),
        ),
      ),

    /** Returns the root sessions of exactly this directory. */
    sessions: (directory: string, options: OpenCodeCallOptions = {}): Promise<readonly Session[]> =>
      listAll((limit) =>
        call('list the sessions', 'always', options, (signal) =>
          sdk().session.list({ directory, roots: true, limit }, { signal }),
        ),
      ),
  }
}
