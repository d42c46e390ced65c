// Creates an empty git repository for a task without a project, with one commit to compare against.

import { createHash } from 'node:crypto'
import { lstat, mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import { git, gitLine } from '../command/run.ts'
import { stagingPath } from '../command/staging.ts'
import type { Checkout } from './checkout.ts'

const NAME = 'Switchyard'
const EMAIL = 'switchyard@localhost'

/** Settings that make Switchyard the author and committer of a commit. */
export const SWITCHYARD_AUTHOR: readonly string[] = [`user.name=${NAME}`, `user.email=${EMAIL}`]

const BRANCH = 'main'
// The date is fixed and the message depends only on the directory. After a crash we know the id of the first commit
// without reading a repository that an agent has changed. And no two tasks share a first commit, which OpenCode uses
// to distinguish projects.
const EPOCH = '946684800 +0000'

/** The id of the tree without files. */
export const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'

const messageFor = (directory: string): string => `Begin ${path.basename(directory)}`

/** Returns the id of the first commit in the scratch repository of a directory, whether or not it exists. */
export const scratchCommit = (directory: string): string => {
  const who = `${NAME} <${EMAIL}> ${EPOCH}`
  const text = `tree ${EMPTY_TREE}\nauthor ${who}\ncommitter ${who}\n\n${messageFor(path.resolve(directory))}\n`
  return createHash('sha1')
    .update(`commit ${Buffer.byteLength(text)}\0${text}`)
    .digest('hex')
}

/**
 * Creates a scratch repository. Safe to repeat: the repository appears only when it is complete, and an existing one
 * stays as it is, with an agent's work in it.
 *
 * @throws SwitchyardError `disk_full`, `directory_unwritable`
 */
export const createScratch = async (
  given: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Checkout> => {
  const directory = path.resolve(given)
  const fresh = stagingPath(directory)
  try {
    await mkdir(fresh, { recursive: true })
    const at = { cwd: fresh, ...options }
    await git(['init', '--quiet', `--initial-branch=${BRANCH}`, '--template=', '.'], at)
    await git(['hash-object', '-t', 'tree', '-w', '--stdin'], { ...at, input: '' })
    const baseCommit = await gitLine(['commit-tree', EMPTY_TREE, '-m', messageFor(directory)], {
      ...at,
      config: SWITCHYARD_AUTHOR,
      env: { GIT_AUTHOR_DATE: EPOCH, GIT_COMMITTER_DATE: EPOCH },
    })
    await git(['update-ref', `refs/heads/${BRANCH}`, baseCommit], at)
    await mkdir(directory, { recursive: true })
    // An agent may have replaced the directory by a link, to have us write where it leads.
    if (!(await lstat(directory)).isDirectory())
      throw new SwitchyardError('directory_unwritable', `${directory} is not a directory`)
    await rename(path.join(fresh, '.git'), path.join(directory, '.git')).catch(async (error: unknown) => {
      if (!(await lstat(path.join(directory, '.git')).catch(() => undefined))) throw error
    })
    return { directory, branch: BRANCH, baseCommit }
  } catch (error) {
    throw fromFileError(error, directory)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}
