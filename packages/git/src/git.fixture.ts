// Runs git, creates repositories and provides a temporary directory for the tests of this package.

import { execFile } from 'node:child_process'
import { lstat, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach } from 'vitest'
import { parseRepositoryUrl } from './identity/identity.ts'
import { Repositories } from './repositories.ts'

const run = promisify(execFile)

/** Joins names to the test's directory. */
export type At = (...names: string[]) => string

/** Creates a new temporary directory for every test of a file, and removes it afterwards. */
export const useTestDirectory = (): At => {
  let root = ''
  beforeEach(async () => {
    root = await realpath(await mkdtemp(path.join(tmpdir(), 'switchyard-git-test-')))
  })
  afterEach(async () => {
    await rm(root, { recursive: true, force: true })
  })
  return (...names) => path.join(root, ...names)
}

export const exists = async (file: string): Promise<boolean> => (await lstat(file).catch(() => undefined)) !== undefined

/** Runs git with a test author, and returns its output without surrounding white space. */
export const sh = async (directory: string, ...args: string[]): Promise<string> =>
  (await run('git', ['-c', 'user.name=T', '-c', 'user.email=t@t', ...args], { cwd: directory })).stdout.trim()

/** Writes a file and commits all changes. @returns the commit */
export const commit = async (directory: string, file: string, text = `${file}\n`): Promise<string> => {
  await writeFile(path.join(directory, file), text)
  await sh(directory, 'add', '-A')
  await sh(directory, 'commit', '-qm', `add ${file}`)
  return await sh(directory, 'rev-parse', 'HEAD')
}

/** Writes files and commits all changes, in a repository that is created if it does not exist. @returns the directory */
export const commitAll = async (directory: string, files: Readonly<Record<string, string>>): Promise<string> => {
  await mkdir(directory, { recursive: true })
  if (!(await exists(path.join(directory, '.git')))) await sh(directory, 'init', '-q', '-b', 'main')
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(directory, file), text)
  await sh(directory, 'add', '-A')
  await sh(directory, 'commit', '-qm', 'begin')
  return directory
}

/** Returns a lock by name for one process: work under the same name runs one after another. */
export const createLock = () => {
  const locks = new Map<string, Promise<unknown>>()
  return <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const next = (locks.get(name) ?? Promise.resolve()).then(work, work)
    locks.set(name, next)
    return next
  }
}

export const createRepositories = (at: At): Repositories =>
  new Repositories({
    mirrorsDir: at('mirrors'),
    sharedDir: at('repos'),
    objectStoresDir: at('objects'),
    lock: createLock(),
  })

/** Fetches a project, and adds the worktree `tasks/t1` on branch `b1`. @param source - default: a new repository */
export const createProject = async (at: At, source?: string) => {
  const identity = parseRepositoryUrl(source ?? (await commitAll(at('origin'), { 'a.txt': 'one\n' })))
  const repositories = createRepositories(at)
  await repositories.fetch(identity)
  const first = await repositories.addWorktree(identity, { directory: at('tasks', 't1'), branch: 'b1' })
  const shared = path.join(repositories.sharedDirectory(identity), '.git')
  const add = (name: string, branch: string, more: object = {}) =>
    repositories.addWorktree(identity, { directory: at('tasks', name), branch, ...more })
  return {
    identity,
    repositories,
    first,
    shared,
    add,
    objectDirs: await repositories.objectDirectories(identity, first.directory),
  }
}

/** Creates an executable that leaves a trace, for configurations that git must not run. */
export const createEvil = async (
  at: At,
): Promise<{ readonly file: string; readonly hasRun: () => Promise<boolean> }> => {
  const file = at('evil')
  await writeFile(file, `#!/bin/sh\ntouch ${at('ran')}\ncat\n`, { mode: 0o755 })
  return { file, hasRun: () => exists(at('ran')) }
}
