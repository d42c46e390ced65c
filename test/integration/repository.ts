// Creates small git repositories on disk for tasks to work on.

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const IDENTITY = ['-c', 'user.name=Test', '-c', 'user.email=test@example.invalid']

export const git = async (directory: string, ...args: string[]): Promise<string> =>
  (await run('git', [...IDENTITY, ...args], { cwd: directory })).stdout.trim()

/**
 * Creates a repository and, beside it, its bare clone `<name>.git`.
 *
 * @returns the path of the clone
 */
export const makeBareRepository = async (
  place: string,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<string> => {
  const bare = path.join(place, `${name}.git`)
  const source = await makeRepository(path.join(place, name), files)
  await git(place, 'clone', '--quiet', '--bare', source, bare)
  return bare
}

/** Creates a repository with one commit of these files on `main`. */
export const makeRepository = async (directory: string, files: Readonly<Record<string, string>>): Promise<string> => {
  await mkdir(directory, { recursive: true })
  await git(directory, 'init', '--quiet', '--initial-branch=main')
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(directory, name)), { recursive: true })
    await writeFile(path.join(directory, name), text)
  }
  await git(directory, 'add', '--all')
  await git(directory, 'commit', '--quiet', '--message', 'Begin')
  return directory
}
