// What changed in a working directory since a commit: committed, staged, unstaged and untracked alike.
//
// The directory is not trusted. It is read through a repository of our own that is made for the one call: no
// configuration, hook, filter or index of the directory's own repository has a part in it.

import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { FileDiff } from '@switchyard/contracts'
import { SwitchyardError } from '@switchyard/contracts'
import { type GitOptions, git } from './run.ts'

export type DiffRequest = {
  readonly directory: string
  /** The commit it began from. */
  readonly base: string
  /** Where the base commit's objects are: `.git/objects` of the shared clone or of the scratch repository. */
  readonly objectDirs: readonly string[]
  /** Bytes of the unified diff at most; default 4 MiB. More is cut. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
}

export type Diff = {
  /** Unified, with binary changes as patches that `git apply` takes. */
  readonly diff: string
  readonly files: readonly FileDiff[]
  readonly additions: number
  readonly deletions: number
  readonly truncated: boolean
}

const DEFAULT_MAX_BYTES = 4 * 1_048_576
const MAX_LIST_BYTES = 16 * 1_048_576
/** Files over this size are compared as binary, and not shown. */
const BIG_FILE = '20m'
const TIMEOUT_MS = 60_000

/**
 * @throws SwitchyardError `workspace_gone` where there is no such directory; `disk_full`.
 * @example const { files } = await diffAgainst({ directory, base, objectDirs: [`${directory}/.git/objects`] })
 */
export const diffAgainst = async (request: DiffRequest): Promise<Diff> => {
  const found = await stat(request.directory).catch(() => undefined)
  if (!found?.isDirectory()) throw new SwitchyardError('workspace_gone', `${request.directory} is no longer there`)
  const own = await mkdtemp(path.join(tmpdir(), 'switchyard-diff-'))
  try {
    await git(['init', '--quiet', '--bare', '--template=', '.'], { cwd: own })
    const options: GitOptions = {
      cwd: request.directory,
      timeoutMs: TIMEOUT_MS,
      env: {
        GIT_DIR: own,
        GIT_WORK_TREE: request.directory,
        GIT_INDEX_FILE: path.join(own, 'index'),
        GIT_ALTERNATE_OBJECT_DIRECTORIES: request.objectDirs.map(quoted).join(path.delimiter),
        // The directory's own `.git` is no part of the tree, and a name of another kind cannot smuggle one in.
        GIT_CEILING_DIRECTORIES: path.dirname(request.directory),
      },
      config: [
        `core.bigFileThreshold=${BIG_FILE}`,
        'core.quotePath=false',
        'core.bare=false',
        'core.symlinks=true',
        'diff.renames=true',
        'core.compression=0',
        'core.looseCompression=0',
        'core.autocrlf=false',
        'core.safecrlf=false',
      ],
      ...(request.signal ? { signal: request.signal } : {}),
    }
    await git(['read-tree', request.base], options)
    // A nested repository is added as the link it would be in a commit; a file that cannot be read is left out.
    await git(['add', '--all', '--ignore-errors', '--', '.'], { ...options, okCodes: [0, 1] })
    const compare = ['diff', '--cached', '--no-ext-diff', '--no-textconv', '--no-color', '--find-renames', request.base]
    const [numbers, states, text] = await Promise.all([
      git([...compare, '--numstat', '-z'], { ...options, maxBytes: MAX_LIST_BYTES }),
      git([...compare, '--name-status', '-z'], { ...options, maxBytes: MAX_LIST_BYTES }),
      git([...compare, '--binary', '--full-index'], { ...options, maxBytes: request.maxBytes ?? DEFAULT_MAX_BYTES }),
    ])
    const files = toFiles(numbers.stdout.toString('utf8'), states.stdout.toString('utf8'))
    return {
      diff: text.stdout.toString('utf8'),
      files,
      additions: files.reduce((sum, file) => sum + file.additions, 0),
      deletions: files.reduce((sum, file) => sum + file.deletions, 0),
      truncated: text.truncated || numbers.truncated || states.truncated,
    }
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}

/** In the list of object directories a name with special characters is quoted as in C. */
export const quoted = (directory: string): string =>
  /[":\\\n]/.test(directory)
    ? `"${directory.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
    : directory

const STATUS: Readonly<Record<string, FileDiff['status']>> = { A: 'added', D: 'deleted', R: 'renamed', C: 'added' }

const toFiles = (numstat: string, nameStatus: string): readonly FileDiff[] => {
  const states = new Map<string, FileDiff['status']>()
  const words = nameStatus.split('\0')
  for (let at = 0; at < words.length - 1; ) {
    const state = words[at]?.[0] ?? ''
    const isPair = state === 'R' || state === 'C'
    states.set(words[at + (isPair ? 2 : 1)] ?? '', STATUS[state] ?? 'modified')
    at += isPair ? 3 : 2
  }
  const files: FileDiff[] = []
  const fields = numstat.split('\0')
  for (let at = 0; at < fields.length - 1; at++) {
    const [added = '0', removed = '0', name = ''] = (fields[at] ?? '').split('\t')
    // A rename has an empty name here and both names behind.
    const isRename = name === ''
    const filePath = isRename ? (fields[at + 2] ?? '') : name
    if (isRename) at += 2
    files.push({
      path: filePath,
      status: states.get(filePath) ?? 'modified',
      additions: added === '-' ? 0 : Number(added),
      deletions: removed === '-' ? 0 : Number(removed),
      binary: added === '-',
    })
  }
  return files
}
