// Saves what was done in a working directory as a git bundle, before the directory goes: its commits, and one more for
// what was never committed. As with the diff, nothing of the directory's own configuration has a part in it.

import { lstat, mkdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { enterFiles } from './changed-files.ts'
import { fromFileError } from './file-errors.ts'
import { readGuarded } from './guarded-read.ts'
import { type OwnRepository, openOwnRepository } from './own-repository.ts'
import type { GitOptions } from './run.ts'
import { IDENTITY } from './scratch.ts'

export type BundleRequest = {
  readonly directory: string
  /** The commit it began from; the bundle needs it where it is unpacked. */
  readonly base: string
  readonly objectDirs: readonly string[]
  /** Where to write the bundle. */
  readonly file: string
  /** The branch's name in the bundle. */
  readonly branch: string
}

const TIMEOUT_MS = 5 * 60_000
/** A file over this size is no work of an agent's hands; it is left out. */
const MAX_FILE_BYTES = 512 * 1_048_576

/** The commit that HEAD of the directory stands for, read as files: git itself would read the configuration. */
const headOf = async (own: OwnRepository, directory: string, options: GitOptions): Promise<string | undefined> => {
  const dotGit = path.join(directory, '.git')
  const found = await lstat(dotGit).catch(() => undefined)
  if (!found) return undefined
  const gitDir = found.isDirectory()
    ? dotGit
    : path.resolve(directory, (await readGuarded(dotGit)).replace(/^gitdir:\s*/, '').trim())
  const common = path.resolve(gitDir, (await readGuarded(path.join(gitDir, 'commondir'))).trim())
  const head = (await readGuarded(path.join(gitDir, 'HEAD'))).trim()
  const ref = /^ref: (refs\/heads\/[^\s]+)$/.exec(head)?.[1]
  const commit = ref ? await readRef(common, ref) : head
  if (!commit || !/^[0-9a-f]{40,64}$/.test(commit)) return undefined
  return (await isCommit(own, commit, options)) ? commit : undefined
}

const readRef = async (common: string, ref: string): Promise<string | undefined> => {
  if (ref.includes('..')) return undefined
  const loose = (await readGuarded(path.join(common, ref))).trim()
  if (loose) return loose
  const packed = await readGuarded(path.join(common, 'packed-refs'))
  return packed
    .split('\n')
    .find((line) => line.endsWith(` ${ref}`))
    ?.split(' ', 1)[0]
}

const isCommit = async (own: OwnRepository, name: string, options: GitOptions): Promise<boolean> =>
  (await own.git(['cat-file', '-e', `${name}^{commit}`], { ...options, okCodes: [0, 1, 128] })).code === 0

/**
 * @returns true where there was something to save; a directory that is as it began, or gone, gives no bundle.
 * @throws SwitchyardError `disk_full`, `directory_unwritable`, `call_timeout`
 */
export const bundleWork = async (request: BundleRequest): Promise<boolean> => {
  const directory = path.resolve(request.directory)
  // A link in its place leads to where its agent wants us to read.
  if (!(await lstat(directory).catch(() => undefined))?.isDirectory()) return false
  const own = await openOwnRepository({
    objectDirs: request.objectDirs,
    workTree: directory,
    isSha256: request.base.length === 64,
  })
  const options: GitOptions = {
    timeoutMs: TIMEOUT_MS,
    config: [...IDENTITY, 'core.autocrlf=false', 'core.safecrlf=false'],
  }
  const line = async (args: readonly string[]) => (await own.git(args, options)).stdout.toString('utf8').trim()
  try {
    const hasBase = await isCommit(own, request.base, options)
    const head = (await headOf(own, directory, options)) ?? (hasBase ? request.base : undefined)
    const begun = head ?? (await line(['mktree']))
    const { names } = await enterFiles(own, directory, begun, MAX_FILE_BYTES, options)
    await own.git(['update-index', '--ignore-submodules', '--add', '--remove', '-z', '--stdin'], {
      ...options,
      input: names.map((name) => `${name}\0`).join(''),
    })
    const tree = await line(['write-tree'])
    const isCommitted = tree === (await line(['rev-parse', `${begun}^{tree}`]))
    if (isCommitted && (head === undefined || head === request.base)) return false
    const tip =
      isCommitted && head !== undefined
        ? head
        : await line(['commit-tree', tree, ...(head ? ['-p', head] : []), '-m', 'Work that was not committed'])
    await own.git(['update-ref', `refs/heads/${request.branch}`, tip], options)
    await mkdir(path.dirname(request.file), { recursive: true })
    const part = `${request.file}.part`
    // Without the base, as after `rm -r .git && git init`, the bundle holds all there is.
    const without = hasBase ? [`^${request.base}`] : []
    await own.git(['bundle', 'create', '--quiet', part, `refs/heads/${request.branch}`, ...without], options)
    await rename(part, request.file)
    return true
  } catch (error) {
    throw fromFileError(error, request.file)
  } finally {
    await own.close()
  }
}
