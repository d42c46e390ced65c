// A fresh git repository for a task without a project: empty, with one commit to compare against.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError } from './file-errors.ts'
import { git, gitLine } from './run.ts'

export const IDENTITY: readonly string[] = ['user.name=Switchyard', 'user.email=switchyard@localhost']

export type Checkout = { readonly directory: string; readonly branch: string; readonly baseCommit: string }

const BRANCH = 'main'
// A fixed date makes the commit the same in every scratch directory: after a crash it is made again, not twice.
const EPOCH = '2000-01-01T00:00:00Z'

/** The tree without any file; git knows it without an object. */
const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'

/**
 * Safe to repeat: what a crash left is completed.
 *
 * @throws SwitchyardError `disk_full`, `directory_unwritable`
 */
export const createScratch = async (
  directory: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Checkout> => {
  await mkdir(directory, { recursive: true }).catch((error: unknown) => {
    throw fromFileError(error, directory)
  })
  const at = { cwd: directory, ...options }
  await git(['init', '--quiet', `--initial-branch=${BRANCH}`, '--template=', '.'], at)
  const baseCommit = await gitLine(['commit-tree', EMPTY_TREE, '-m', 'Begin'], {
    ...at,
    config: IDENTITY,
    env: { GIT_AUTHOR_DATE: EPOCH, GIT_COMMITTER_DATE: EPOCH },
  })
  // Only where the branch has no commit yet: what the agent committed since stays.
  await git(['update-ref', `refs/heads/${BRANCH}`, baseCommit, '0'.repeat(40)], { ...at, okCodes: [0, 128] })
  return { directory: path.resolve(directory), branch: BRANCH, baseCommit }
}
