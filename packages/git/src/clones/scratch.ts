// A fresh git repository for a task without a project: empty, with one commit to compare against.

import { createHash } from 'node:crypto'
import { lstat, mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import { git, gitLine } from '../command/run.ts'
import { stagingPlace } from '../command/staging.ts'

const NAME = 'Switchyard'
const EMAIL = 'switchyard@localhost'
export const IDENTITY: readonly string[] = [`user.name=${NAME}`, `user.email=${EMAIL}`]

export type Checkout = { readonly directory: string; readonly branch: string; readonly baseCommit: string }

const BRANCH = 'main'
// A fixed date and a message of the directory's own: asked again after a crash, the commit is known without a look
// into a repository that an agent may have written to since; and no two tasks have the same first commit, by which
// OpenCode tells projects apart.
const EPOCH = '946684800 +0000'
/** The tree without any file. */
export const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'

const messageOf = (place: string): string => `Begin ${path.basename(place)}`

/** The first commit of the scratch repository of a directory, whether or not it is there. */
export const scratchCommit = (directory: string): string => {
  const who = `${NAME} <${EMAIL}> ${EPOCH}`
  const text = `tree ${EMPTY_TREE}\nauthor ${who}\ncommitter ${who}\n\n${messageOf(path.resolve(directory))}\n`
  return createHash('sha1')
    .update(`commit ${Buffer.byteLength(text)}\0${text}`)
    .digest('hex')
}

/**
 * Safe to repeat: the repository appears whole, and what an agent did in it since stays.
 *
 * @throws SwitchyardError `disk_full`, `directory_unwritable`
 */
export const createScratch = async (
  directory: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Checkout> => {
  const place = path.resolve(directory)
  const fresh = stagingPlace(place)
  try {
    await mkdir(fresh, { recursive: true })
    const at = { cwd: fresh, ...options }
    await git(['init', '--quiet', `--initial-branch=${BRANCH}`, '--template=', '.'], at)
    await git(['hash-object', '-t', 'tree', '-w', '--stdin'], { ...at, input: '' })
    const baseCommit = await gitLine(['commit-tree', EMPTY_TREE, '-m', messageOf(place)], {
      ...at,
      config: IDENTITY,
      env: { GIT_AUTHOR_DATE: EPOCH, GIT_COMMITTER_DATE: EPOCH },
    })
    await git(['update-ref', `refs/heads/${BRANCH}`, baseCommit], at)
    await mkdir(place, { recursive: true })
    // A task's directory that has become a link leads to where its agent wants it.
    if (!(await lstat(place)).isDirectory())
      throw new SwitchyardError('directory_unwritable', `${place} is no directory`)
    await rename(path.join(fresh, '.git'), path.join(place, '.git')).catch(async (error: unknown) => {
      if (!(await lstat(path.join(place, '.git')).catch(() => undefined))) throw error
    })
    return { directory: place, branch: BRANCH, baseCommit }
  } catch (error) {
    throw fromFileError(error, place)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}
