// Creates a temporary repository through which git reads and writes one that is not trusted.
//
// git gets the temporary repository as GIT_DIR and never opens the other one, so the other's configuration,
// hooks, attributes and index have no effect. Only its objects and refs are used, as data. Disabling dangerous
// settings by name is not enough: `includeIf`, `config.worktree` and unusual names get past it, and an agent can
// change the configuration after the check.

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import { type GitOptions, type GitOutput, git } from '../command/run.ts'
import { temporaryRepositoryPrefix } from '../command/staging.ts'
import { createObjectView } from './object-view.ts'

const CONFIG = '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n'
const CONFIG_SHA256 = `${CONFIG.replace('= 0', '= 1')}[extensions]\n\tobjectFormat = sha256\n`
// Overrides the attributes of the working directory: no drivers run, and no file is excluded from a diff.
const ATTRIBUTES = '* !filter !diff !merge\n'
/** What `linkTo` shares besides the objects. git follows these links when it writes. */
const LINKED = ['refs', 'packed-refs', 'shallow']

/** Settings for a fetch into `linkTo`: loose objects would be written to the temporary repository. */
export const STORE_PACKS: readonly string[] = ['fetch.unpackLimit=1', 'transfer.unpackLimit=1']

export type IsolatedRepository = {
  readonly directory: string
  /** Runs git in this repository. */
  readonly git: (args: readonly string[], options?: GitOptions) => Promise<GitOutput>
  /** Runs git in this repository, and returns its output as text without surrounding white space. */
  readonly line: (args: readonly string[], options?: GitOptions) => Promise<string>
  readonly close: () => Promise<void>
}

export type IsolatedRepositoryOptions = {
  /**
   * Object directories to read from, most trusted first: git takes an object from the first that has it. Only their
   * objects are read, never what they say about other directories.
   */
  readonly objectDirs?: readonly string[]
  /**
   * A git directory whose refs are read and written, and whose objects are read. Check it with `inspectClone` first. git
   * may add packs to it: fetch with `STORE_PACKS`.
   */
  readonly linkTo?: string
  /** The directory whose files are read or written. */
  readonly workTree?: string
  readonly isSha256?: boolean
  /** The commit of HEAD; default: a branch without a commit. */
  readonly head?: string
}

/** Quotes a path for the list of object directories, in which special characters are escaped as in C. */
const quoted = (directory: string): string =>
  /[":\\\n]/.test(directory)
    ? `"${directory.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
    : directory

/**
 * Creates an isolated repository, in about a millisecond and without starting a process. The caller closes it.
 *
 * @throws SwitchyardError `disk_full`, `directory_unwritable`
 */
export const openIsolatedRepository = async (options: IsolatedRepositoryOptions): Promise<IsolatedRepository> => {
  const { linkTo, workTree, objectDirs = [] } = options
  const directory = await mkdtemp(path.join(tmpdir(), temporaryRepositoryPrefix())).catch((error: unknown) => {
    throw fromFileError(error, tmpdir())
  })
  const close = () => rm(directory, { recursive: true, force: true })
  const at = (name: string) => path.join(directory, name)
  const views = objectDirs.map((_, index) => at(`view-${index}`))
  try {
    await mkdir(at('info'))
    await Promise.all([
      writeFile(at('HEAD'), `${options.head ?? 'ref: refs/heads/none'}\n`),
      writeFile(at('config'), options.isSha256 ? CONFIG_SHA256 : CONFIG),
      writeFile(at('info/attributes'), ATTRIBUTES),
      ...objectDirs.map((objectDir, index) => createObjectView(objectDir, at(`view-${index}`))),
      ...(linkTo === undefined
        ? [mkdir(at('objects')), mkdir(at('refs'))]
        : [
            mkdir(path.join(linkTo, 'objects', 'pack'), { recursive: true }).then(() =>
              createObjectView(path.join(linkTo, 'objects'), at('objects')),
            ),
            ...LINKED.map((name) => symlink(path.join(linkTo, name), at(name))),
          ]),
    ])
  } catch (error) {
    await close()
    throw fromFileError(error, directory)
  }
  const env: Record<string, string> = {
    GIT_DIR: directory,
    GIT_INDEX_FILE: at('index'),
    GIT_ALTERNATE_OBJECT_DIRECTORIES: views.map(quoted).join(path.delimiter),
    ...(workTree === undefined ? {} : { GIT_WORK_TREE: workTree }),
  }
  const run: IsolatedRepository['git'] = (args, more = {}) =>
    git(args, { cwd: workTree ?? directory, ...more, env: { ...env, ...more.env } })
  return {
    directory,
    git: run,
    line: async (args, more) => (await run(args, more)).stdout.toString('utf8').trim(),
    close,
  }
}
