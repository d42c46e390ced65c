// Lists of sessions, whole however many there are.

import type { OpencodeClient, Session } from '@opencode-ai/sdk/v2'
import type { createCaller, OpenCodeCallOptions } from './call.ts'

/** Sessions that are asked for at first; about 500 bytes each. */
const FIRST = 1_000

/**
 * All that there is, asked for in one piece: with the answer full, again with ten times the limit. Pages by OpenCode's cursor, which is
 * the time of the last change, would miss a session that changes while they are read.
 */
export const whole = async <T>(
  list: (limit: number) => Promise<readonly T[]>,
  first = FIRST,
): Promise<readonly T[]> => {
  for (let limit = first; ; limit *= 10) {
    const found = await list(limit)
    if (found.length < limit) return found
  }
}

export type SessionFilter = {
  /** Only those that nobody started from another one. */
  readonly roots: boolean
  /** Only those that changed since then, ms since 1970. */
  readonly since?: number | undefined
}

export const sessionLists = (call: ReturnType<typeof createCaller>, sdk: () => OpencodeClient) => {
  /** The last changed sessions of a repository, in all its worktrees and clones, subagents' among them. */
  const projectSessions = (
    directory: string,
    limit: number,
    given: OpenCodeCallOptions = {},
  ): Promise<readonly Session[]> =>
    call('list the sessions', 'always', given, (signal) =>
      sdk().session.list({ directory, scope: 'project', limit }, { signal }),
    )
  return {
    projectSessions,

    /** All sessions of the repository that this directory belongs to, as above. */
    everyProjectSession: (directory: string, given: OpenCodeCallOptions = {}): Promise<readonly Session[]> =>
      whole((limit) => projectSessions(directory, limit, given)),

    /** The sessions of all directories, the last changed first. No directory is set up for it. */
    everySession: (
      { roots, since }: SessionFilter,
      given: OpenCodeCallOptions = {},
    ): Promise<readonly Pick<Session, 'id' | 'directory' | 'time'>[]> =>
      whole((limit) =>
        call('list all sessions', 'always', given, (signal) =>
          sdk().experimental.session.list(
            { limit, archived: true, ...(roots ? { roots } : {}), ...(since === undefined ? {} : { start: since }) },
            { signal },
          ),
        ),
      ),

    /** The root sessions of exactly this directory. */
    sessions: (directory: string, given: OpenCodeCallOptions = {}): Promise<readonly Session[]> =>
      whole((limit) =>
        call('list the sessions', 'always', given, (signal) =>
          sdk().session.list({ directory, roots: true, limit }, { signal }),
        ),
      ),
  }
}
