// Repositories and working directories for measurements.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { FAILING_REPOSITORY } from '@switchyard/testing'
import { git, makeRepository } from '../integration/repository.ts'

const FILES = 200

/** Creates a repository with the demo's files and 200 files of 2 KiB. */
export const makeSizedRepository = (directory: string): Promise<string> => {
  const files: Record<string, string> = { ...FAILING_REPOSITORY }
  for (let at = 0; at < FILES; at += 1)
    files[`src/part-${at % 10}/file-${at}.js`] = `// File ${at}.\n`.padEnd(2_048, `export const value${at} = ${at}\n`)
  return makeRepository(directory, files)
}

/** Creates a clone to add worktrees to, as a person without Switchyard would have. */
export const makeClone = async (repository: string, directory: string): Promise<string> => {
  await git(path.dirname(directory), 'clone', '--quiet', repository, directory)
  return directory
}

export const addWorktree = async (clone: string, directory: string, branch: string): Promise<string> => {
  await git(clone, 'worktree', 'add', '--quiet', '-b', branch, directory)
  return directory
}

/** Creates an empty repository with one commit, as a task without a project has. */
export const makeScratch = async (directory: string): Promise<string> => {
  await mkdir(directory, { recursive: true })
  await git(directory, 'init', '--quiet', '--initial-branch=main')
  await git(directory, 'commit', '--quiet', '--allow-empty', '--message', 'Begin')
  return directory
}
