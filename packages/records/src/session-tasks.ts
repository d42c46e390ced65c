// The tasks that OpenCode sessions belong to.

import { guarded } from './errors.ts'
import type { TaskRow } from './rows.ts'
import type { Db } from './schema.ts'

export type SessionTask = Pick<
  TaskRow,
  'id' | 'session_id' | 'directory' | 'owner_key' | 'project_id' | 'server_id' | 'completed_at'
>

/** Tasks that made one of the sessions, and tasks that one of the directories was made for or is worked in by. */
export const listSessionTasks = guarded(
  async (
    db: Db,
    of: { readonly sessionIds: readonly string[]; readonly directories: readonly string[] },
  ): Promise<readonly SessionTask[]> =>
    db
      .selectFrom('tasks')
      .select(['id', 'session_id', 'directory', 'owner_key', 'project_id', 'server_id', 'completed_at'])
      .where((eb) =>
        eb.or([
          eb('session_id', '=', (any) => any.fn('any', [any.val([...of.sessionIds])])),
          eb('directory', '=', (any) => any.fn('any', [any.val([...of.directories])])),
        ]),
      )
      .execute(),
)
