// A worker's working directories on a real database, for tests: one project with one commit.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { newTaskId } from '@switchyard/contracts'
import { parseRepositoryUrl, projectIdOf, Repositories } from '@switchyard/git'
import {
  acceptTask,
  advance,
  claimSandbox,
  findTaskRow,
  markSandboxReady,
  noteProject,
  type Patch,
  Records,
  type TaskRow,
} from '@switchyard/records'
import { createDatabase, ordinaryTask } from '@switchyard/testing'
import { createWorkspace, Layout, type Workspace } from './index.ts'

const run = promisify(execFile)

/** Runs git in a directory as a test user and returns its output. */
export const git = async (directory: string, ...args: string[]): Promise<string> =>
  (await run('git', ['-c', 'user.name=T', '-c', 'user.email=t@t', ...args], { cwd: directory })).stdout.trim()

type NewTask = Partial<Parameters<typeof acceptTask>[1]>

export const startWorkspaces = async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'switchyard-workspaces-'))
  const database = await createDatabase()
  const records = new Records({ connectionString: database.url, applicationName: 'workspace-test' })
  const layout = new Layout({ home: path.join(root, 'home'), workspacesDir: path.join(root, 'workspaces') })
  const repositories = new Repositories({
    mirrorsDir: layout.mirrors,
    sharedDir: layout.sharedClones,
    objectStoresDir: layout.objectStores,
    workspacesDir: layout.workspaces,
    lock: (name, work) => records.withLock(name, work),
  })
  const origin = path.join(root, 'origin')
  await mkdir(origin)
  await git(origin, 'init', '-q', '-b', 'main')
  await writeFile(path.join(origin, 'a.txt'), 'one\n')
  await git(origin, 'add', '-A')
  await git(origin, 'commit', '-qm', 'begin')
  const identity = parseRepositoryUrl(origin)
  const projectId = projectIdOf(identity.key)
  await noteProject(records.db, { id: projectId, key: identity.key, url: identity.displayUrl })
  const deps = { records, repositories, layout }

  const write = async ({ id }: TaskRow, step: { to?: TaskRow['status']; set?: Patch }): Promise<TaskRow> => {
    const written = await advance(records.db, { taskId: id, generation: null, events: [], ...step })
    if (!written) throw new Error(`the change of ${id} was refused`)
    return written.task
  }
  const create = (row: TaskRow): Promise<Workspace> => createWorkspace(deps, row, AbortSignal.timeout(30_000))
  return {
    deps,
    origin,
    identity,
    projectId,
    create,
    /** Accepts a task that a worker has begun to prepare. */
    task: async (input: NewTask = {}): Promise<TaskRow> => {
      const { row } = await acceptTask(records.db, { ...ordinaryTask(), ...input, id: newTaskId() })
      return await write(row, { to: 'preparing' })
    },
    /** Creates a task's directory and records it, as a worker does. */
    begin: async (row: TaskRow): Promise<TaskRow> => {
      const { directory, branch, baseCommit } = await create(row)
      return await write(row, { set: { directory, branch, base_commit: baseCommit } })
    },
    end: (row: TaskRow) => write(row, { to: 'cancelled', set: { completed_at: new Date() } }),
    /** Sets columns that no step of a task may set. */
    set: async (row: TaskRow, values: { readonly workspace_removed_at?: Date; readonly directory?: string }) => {
      await records.db.updateTable('tasks').set(values).where('id', '=', row.id).execute()
      return (await findTaskRow(records.db, row.id)) ?? row
    },
    sandbox: async (name: string) => {
      const directory = path.join(layout.sandboxes(identity), name)
      const sandbox = { project_id: projectId, name, path: directory, branch: `sandbox/${name}` }
      await claimSandbox(records.db, { ...sandbox, base_branch: null, start_command: null, owner_key: 'local' })
      await repositories.fetch(identity)
      await mkdir(path.dirname(directory), { recursive: true })
      const made = await repositories.addWorktree(identity, { directory, branch: sandbox.branch })
      await markSandboxReady(records.db, projectId, name, made.baseCommit)
      return directory
    },
    close: async () => {
      await records.close()
      await database.drop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

export type TestWorkspaces = Awaited<ReturnType<typeof startWorkspaces>>
