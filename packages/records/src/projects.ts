// The projects table: one identity per repository.

import type { ProjectStatus } from '@switchyard/contracts'
import { type Selectable, sql, type Updateable } from 'kysely'
import { guarded } from './errors.ts'
import { storable, toJson } from './json.ts'
import type { Db, ProjectPermissions, ProjectsTable } from './schema.ts'

export type ProjectRow = Selectable<ProjectsTable>

export const findProject = guarded(
  async (db: Db, id: string): Promise<ProjectRow | undefined> =>
    db.selectFrom('projects').selectAll().where('id', '=', id).executeTakeFirst(),
)

/** The project that is worked on in this directory. */
export const findProjectIn = guarded(
  async (db: Db, directory: string): Promise<ProjectRow | undefined> =>
    db.selectFrom('projects').selectAll().where('base_dir', '=', directory).executeTakeFirst(),
)

/** Registered ones, the newest first. */
export const listProjects = guarded(
  async (db: Db): Promise<readonly ProjectRow[]> =>
    db
      .selectFrom('projects')
      .selectAll()
      .where('registered_at', 'is not', null)
      .orderBy('registered_at', 'desc')
      .orderBy('id')
      .execute(),
)

/** Keeps the identity of a repository that was found and that nobody has registered; one that is known stays as it is. */
export const noteProject = guarded(
  async (db: Db, project: { readonly id: string; readonly key: string; readonly url: string }): Promise<void> => {
    await db
      .insertInto('projects')
      .values({ ...project, settings: '{}', permissions: '{}', warnings: '[]' })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  },
)

export type NewProject = {
  readonly id: string
  readonly key: string
  readonly url: string
  /** Null: operators' alone. */
  readonly owner_key: string | null
  readonly name: string
  readonly base_dir: string | null
  readonly is_managed: boolean
  readonly pool: ProjectRow['pool']
}

/**
 * Registers a repository, or finds it registered. @returns the row, and whether this call registered it.
 */
export const registerProject = guarded(
  async (db: Db, project: NewProject): Promise<{ readonly row: ProjectRow; readonly created: boolean }> => {
    // An insert that names what it may conflict with fails at the table's other unique columns where two come at once.
    const { id, key, url } = project
    await noteProject(db, { id, key, url })
    const registered = await db
      .updateTable('projects')
      .set({
        url,
        owner_key: project.owner_key,
        name: storable(project.name),
        base_dir: project.base_dir,
        is_managed: project.is_managed,
        pool: project.pool,
        status: 'starting',
        registered_at: sql<Date>`now()`,
        updated_at: sql<Date>`now()`,
      })
      .where('id', '=', id)
      .where('registered_at', 'is', null)
      .returningAll()
      .executeTakeFirst()
    if (registered) return { row: registered, created: true }
    const row = await findProject(db, id)
    if (!row) throw new Error(`${id} was neither registered nor found`)
    return { row, created: false }
  },
)

export type ProjectPatch = Partial<{
  status: ProjectStatus
  detail: string | null
  url: string
  name: string
  description: string | null
  tags: readonly string[]
  settings: Readonly<Record<string, unknown>>
  permissions: ProjectPermissions
  default_branch: string | null
  isolation: ProjectRow['isolation']
  model: string | null
  user_ssh_key: string | null
  public_key: string | null
  warnings: readonly string[]
}>

/** @returns the row as it is then; undefined where it is not registered. */
export const updateProject = guarded(
  async (db: Db, id: string, patch: ProjectPatch): Promise<ProjectRow | undefined> => {
    const { tags, settings, permissions, warnings, ...plain } = patch
    const set: Updateable<ProjectsTable> = {
      ...plain,
      ...(tags ? { tags: [...tags] } : {}),
      ...(settings ? { settings: toJson(settings) } : {}),
      ...(permissions ? { permissions: toJson(permissions) } : {}),
      ...(warnings ? { warnings: toJson(warnings) } : {}),
    }
    return db
      .updateTable('projects')
      .set({ ...set, updated_at: sql<Date>`now()` })
      .where('id', '=', id)
      .where('registered_at', 'is not', null)
      .returningAll()
      .executeTakeFirst()
  },
)

const isDirectoryTaken = (error: unknown): boolean =>
  error instanceof Error && 'constraint' in error && error.constraint === 'projects_base_dir'

/**
 * Gives a managed project that has no base directory yet the first of these that no other project has.
 *
 * @returns the row; undefined where the project is not registered or every directory is taken
 */
export const claimBaseDirectory = guarded(
  async (db: Db, id: string, directories: readonly string[]): Promise<ProjectRow | undefined> => {
    for (const base_dir of directories) {
      const claim = db
        .updateTable('projects')
        .set({ base_dir, updated_at: sql<Date>`now()` })
        .where('id', '=', id)
        .where('registered_at', 'is not', null)
        .where('base_dir', 'is', null)
        .execute()
      const isTaken = await claim.then(
        () => false,
        (error: unknown) => {
          if (isDirectoryTaken(error)) return true
          throw error
        },
      )
      if (!isTaken) return await findProject(db, id)
    }
    return undefined
  },
)

/** Takes the registration back. The identity stays: tasks of the past refer to it. */
export const forgetProject = guarded(async (db: Db, id: string): Promise<void> => {
  await db
    .updateTable('projects')
    .set({
      status: 'known',
      detail: null,
      owner_key: null,
      registered_at: null,
      updated_at: sql<Date>`now()`,
      name: null,
      description: null,
      tags: [],
      settings: '{}',
      permissions: '{}',
      base_dir: null,
      is_managed: true,
      default_branch: null,
      isolation: 'shared',
      model: null,
      user_ssh_key: null,
      public_key: null,
      warnings: '[]',
    })
    .where('id', '=', id)
    .execute()
})

export type OpenTasks = { readonly project_id: string; readonly sandbox: string | null; readonly count: number }

/** How many tasks of these projects have not ended, by sandbox. */
export const countOpenTasks = guarded(async (db: Db, projectIds: readonly string[]): Promise<readonly OpenTasks[]> => {
  const { rows } = await sql<OpenTasks>`
      SELECT project_id, sandbox, count(*) AS count FROM tasks
      WHERE project_id = ANY (${projectIds}) AND completed_at IS NULL GROUP BY project_id, sandbox`.execute(db)
  return rows
})

/** How many tasks that another key made have not ended. @param place - a project, or one sandbox of it. */
export const countTasksOfOthers = guarded(
  async (
    db: Db,
    place: { readonly project_id: string; readonly sandbox: string | undefined },
    ownerKey: string,
  ): Promise<number> => {
    let query = db
      .selectFrom('tasks')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('project_id', '=', place.project_id)
      .where('completed_at', 'is', null)
      .where('owner_key', '<>', ownerKey)
    if (place.sandbox !== undefined) query = query.where('sandbox', '=', place.sandbox)
    return Number((await query.executeTakeFirst())?.count ?? 0)
  },
)

/** The directories that registered projects own: their base checkouts and their sandboxes. */
export const listOwnedDirectories = guarded(async (db: Db): Promise<readonly string[]> => {
  const { rows } = await sql<{ directory: string }>`
    SELECT base_dir AS directory FROM projects WHERE registered_at IS NOT NULL AND base_dir IS NOT NULL
    UNION SELECT path FROM sandboxes`.execute(db)
  return rows.map(({ directory }) => directory)
})

/** Where the open tasks of projects work. */
export const openTaskDirectories = guarded(
  async (
    db: Db,
    projectIds: readonly string[],
  ): Promise<readonly { readonly project_id: string | null; readonly directory: string | null }[]> =>
    projectIds.length === 0
      ? []
      : db
          .selectFrom('tasks')
          .select(['project_id', 'directory'])
          .where('completed_at', 'is', null)
          .where('project_id', 'in', projectIds)
          .where('directory', 'is not', null)
          .execute(),
)
