// The sandboxes table: worktrees that people and agents keep on a project.

import type { Sandbox } from '@switchyard/contracts'
import { type Insertable, type Selectable, sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db, SandboxesTable } from './schema.ts'

export type SandboxRow = Selectable<SandboxesTable>

export const toSandbox = (row: SandboxRow): Sandbox => ({
  name: row.name,
  path: row.path,
  branch: row.branch,
  base_branch: row.base_branch,
  created_at: row.created_at.toISOString(),
})

/** @returns the row, and whether this call made it. */
export const claimSandbox = guarded(
  async (
    db: Db,
    sandbox: Omit<Insertable<SandboxesTable>, 'is_ready' | 'created_at' | 'base_commit'>,
  ): Promise<{ readonly row: SandboxRow; readonly created: boolean }> => {
    const made = await db
      .insertInto('sandboxes')
      .values(sandbox)
      .onConflict((conflict) => conflict.columns(['project_id', 'name']).doNothing())
      .returningAll()
      .executeTakeFirst()
    if (made) return { row: made, created: true }
    const row = await findSandbox(db, sandbox.project_id, sandbox.name)
    // Deleted between the two looks.
    return row ? { row, created: false } : await claimSandbox(db, sandbox)
  },
)

export const findSandbox = guarded(
  async (db: Db, projectId: string, name: string): Promise<SandboxRow | undefined> =>
    db
      .selectFrom('sandboxes')
      .selectAll()
      .where('project_id', '=', projectId)
      .where('name', '=', name)
      .executeTakeFirst(),
)

/** The oldest first. */
export const listSandboxes = guarded(
  async (db: Db, projectIds: readonly string[]): Promise<readonly SandboxRow[]> =>
    projectIds.length === 0
      ? []
      : db
          .selectFrom('sandboxes')
          .selectAll()
          .where('project_id', 'in', projectIds)
          .orderBy('created_at')
          .orderBy('name')
          .execute(),
)

export const markSandboxReady = guarded(
  async (db: Db, projectId: string, name: string, baseCommit: string): Promise<SandboxRow | undefined> =>
    db
      .updateTable('sandboxes')
      .set({ is_ready: sql<boolean>`true`, base_commit: baseCommit })
      .where('project_id', '=', projectId)
      .where('name', '=', name)
      .returningAll()
      .executeTakeFirst(),
)

/** Marks a sandbox whose files are being reset: nothing works in it until that is done. */
export const markSandboxUnready = guarded(async (db: Db, projectId: string, name: string): Promise<void> => {
  await db
    .updateTable('sandboxes')
    .set({ is_ready: sql<boolean>`false` })
    .where('project_id', '=', projectId)
    .where('name', '=', name)
    .execute()
})

export const deleteSandboxRow = guarded(async (db: Db, projectId: string, name: string): Promise<void> => {
  await db.deleteFrom('sandboxes').where('project_id', '=', projectId).where('name', '=', name).execute()
})
