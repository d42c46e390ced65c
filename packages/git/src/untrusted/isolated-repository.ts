// A repository of our own that stands in for one that is not trusted.
//
// Git is told of this one (GIT_DIR) and never opens the other: none of the other's configuration, hooks, attributes or
// index has a part in what runs. Only its objects and refs are reached, as data. Switching off by name what an
// untrusted configuration holds is not enough: `includeIf`, `config.worktree` and odd names get past it, and an agent may
// write between the look and the use.

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import { type GitOptions, type GitOutput, git } from '../command/run.ts'
import { repositoryPrefix } from '../command/staging.ts'
import { requireNoAlternates } from './check-objects.ts'

const CONFIG = '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n'
const CONFIG_SHA256 = `${CONFIG.replace('= 0', '= 1')}[extensions]\n\tobjectFormat = sha256\n`
// What a repository asks for by attribute is dropped: no driver of any kind, and nothing hidden from a diff.
const ATTRIBUTES = '* !filter !diff !merge\n'
/** What a linked one shares with the repository it stands for, with the links that git itself follows when it writes. */
const LINKED = ['objects', 'refs', 'packed-refs', 'shallow']

export type OwnRepository = {
  readonly directory: string
  /** Runs git with this repository as the only one it knows. */
  readonly git: (args: readonly string[], options?: GitOptions) => Promise<GitOutput>
  readonly close: () => Promise<void>
}

export type OwnRepositoryOptions = {
  /** Object directories to read from, the most trusted first: git takes an object from the first that has it. */
  readonly objectDirs?: readonly string[]
  /** A git directory whose objects and refs are read and written. Look at it with `inspectClone` first. */
  readonly linkTo?: string
  /** The directory whose files are read or written. */
  readonly workTree?: string
  readonly isSha256?: boolean
  /** The commit that HEAD names; default: a branch without a commit. */
  readonly head?: string
}

/** In the list of object directories a name with special characters is quoted as in C. */
const quoted = (directory: string): string =>
  /[":\\\n]/.test(directory)
    ? `"${directory.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
    : directory

/**
 * Made in about a millisecond, without a process. The caller closes it.
 *
 * @throws SwitchyardError `disk_full`, `directory_unwritable`; `repository_unavailable` where objects would be borrowed from
 *   wherever an agent says
 */
export const openOwnRepository = async (options: OwnRepositoryOptions): Promise<OwnRepository> => {
  const { linkTo, workTree } = options
  await requireNoAlternates(options.objectDirs ?? [])
  const directory = await mkdtemp(path.join(tmpdir(), repositoryPrefix())).catch((error: unknown) => {
    throw fromFileError(error, tmpdir())
  })
  const close = () => rm(directory, { recursive: true, force: true })
  const at = (name: string) => path.join(directory, name)
  try {
    await mkdir(at('info'))
    await Promise.all([
      writeFile(at('HEAD'), `${options.head ?? 'ref: refs/heads/none'}\n`),
      writeFile(at('config'), options.isSha256 ? CONFIG_SHA256 : CONFIG),
      writeFile(at('info/attributes'), ATTRIBUTES),
      ...(linkTo === undefined
        ? [mkdir(at('objects')), mkdir(at('refs'))]
        : LINKED.map((name) => symlink(path.join(linkTo, name), at(name)))),
    ])
  } catch (error) {
    await close()
    throw fromFileError(error, directory)
  }
  const env: Record<string, string> = {
    GIT_DIR: directory,
    GIT_INDEX_FILE: at('index'),
    GIT_ALTERNATE_OBJECT_DIRECTORIES: (options.objectDirs ?? []).map(quoted).join(path.delimiter),
    ...(workTree === undefined ? {} : { GIT_WORK_TREE: workTree }),
  }
  return {
    directory,
    git: (args, more = {}) => git(args, { cwd: workTree ?? directory, ...more, env: { ...env, ...more.env } }),
    close,
  }
}
