// Saves what was done in a working directory as a git bundle, before the directory goes: its commits, and one more for
// what was never committed. As with the diff, nothing of the directory's own configuration has a part in it.

import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { quoted } from './diff.ts'
import { type GitOptions, git, gitLine } from './run.ts'
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

/** The commit that HEAD of the directory stands for, read as files: git itself would read the configuration. */
const headOf = async (directory: string, options: GitOptions): Promise<string | undefined> => {
  const dotGit = path.join(directory, '.git')
  const found = await stat(dotGit).catch(() => undefined)
  if (!found) return undefined
  const gitDir = found.isDirectory()
    ? dotGit
    : path.resolve(directory, (await readFile(dotGit, 'utf8')).replace(/^gitdir:\s*/, '').trim())
  const common = await readFile(path.join(gitDir, 'commondir'), 'utf8')
    .then((text) => path.resolve(gitDir, text.trim()))
    .catch(() => gitDir)
  const head = (await readFile(path.join(gitDir, 'HEAD'), 'utf8').catch(() => '')).trim()
  const ref = /^ref: (refs\/heads\/[^\s]+)$/.exec(head)?.[1]
  const commit = ref ? await readRef(common, ref) : head
  if (!commit || !/^[0-9a-f]{40,64}$/.test(commit)) return undefined
  const kind = await gitLine(['cat-file', '-t', commit], { ...options, okCodes: [0, 128] })
  return kind === 'commit' ? commit : undefined
}

const readRef = async (common: string, ref: string): Promise<string | undefined> => {
  if (ref.includes('..')) return undefined
  const loose = await readFile(path.join(common, ref), 'utf8').catch(() => undefined)
  if (loose) return loose.trim()
  const packed = await readFile(path.join(common, 'packed-refs'), 'utf8').catch(() => '')
  return packed
    .split('\n')
    .find((line) => line.endsWith(` ${ref}`))
    ?.split(' ', 1)[0]
}

/**
 * @returns true where there was something to save; a directory that is as it began, or gone, gives no bundle.
 * @throws SwitchyardError `disk_full`, `directory_unwritable`
 */
export const bundleWork = async (request: BundleRequest): Promise<boolean> => {
  const found = await stat(request.directory).catch(() => undefined)
  if (!found?.isDirectory()) return false
  const own = await mkdtemp(path.join(tmpdir(), 'switchyard-bundle-'))
  try {
    await git(['init', '--quiet', '--bare', '--template=', '.'], { cwd: own })
    const options: GitOptions = {
      cwd: own,
      timeoutMs: TIMEOUT_MS,
      env: {
        GIT_DIR: own,
        GIT_WORK_TREE: request.directory,
        GIT_INDEX_FILE: path.join(own, 'index'),
        GIT_ALTERNATE_OBJECT_DIRECTORIES: request.objectDirs.map(quoted).join(path.delimiter),
      },
      config: [...IDENTITY, 'core.bare=false', 'core.autocrlf=false', 'core.safecrlf=false'],
    }
    const head = (await headOf(request.directory, options)) ?? request.base
    await git(['read-tree', head], options)
    await git(['add', '--all', '--ignore-errors', '--', request.directory], { ...options, okCodes: [0, 1] })
    const tree = await gitLine(['write-tree'], options)
    const committed = await gitLine(['rev-parse', `${head}^{tree}`], options)
    const tip =
      tree === committed
        ? head
        : await gitLine(['commit-tree', tree, '-p', head, '-m', 'Work that was not committed'], options)
    if (tip === request.base) return false
    await git(['update-ref', `refs/heads/${request.branch}`, tip], options)
    await mkdir(path.dirname(request.file), { recursive: true })
    const part = `${request.file}.part`
    await git(['bundle', 'create', '--quiet', part, `refs/heads/${request.branch}`, `^${request.base}`], options)
    await rename(part, request.file)
    return true
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}
