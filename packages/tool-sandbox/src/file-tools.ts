// Holds OpenCode's own file tools to the working directory. They run in the server's process, outside any sandbox, and OpenCode
// checks a path without resolving its symbolic links.

import { lstatSync } from 'node:fs'
import path from 'node:path'
import { isWithin, resolveLinks } from './paths.ts'
import { SANDBOX_HOME } from './settings.ts'

/** The directories that a task's file tools may reach. All are without symbolic links. */
export type Reach = {
  readonly directory: string
  /** Where OpenCode begins to look for an attached file. The configuration of a repository can name any directory. */
  readonly worktree: string
  /** HOME and /tmp of the sandbox, which its commands write. */
  readonly home: string
  readonly tmp: string
  /** Files of OpenCode that this task was referred to: output that was too long for the model. */
  readonly outputs: ReadonlySet<string>
}

type Arguments = Record<string, unknown>

/** The arguments that name a file or directory, by tool. */
const PATH_ARGUMENTS: Readonly<Record<string, string>> = {
  read: 'filePath',
  write: 'filePath',
  edit: 'filePath',
  multiedit: 'filePath',
  glob: 'path',
  grep: 'path',
  list: 'path',
  lsp: 'filePath',
}

/** OpenCode adds the instructions of every directory between a file that is read and the working directory. */
const INSTRUCTION_FILES = ['AGENTS.md', 'CLAUDE.md', 'CONTEXT.md']

/** `@path` in a prompt of a subagent: OpenCode attaches the file without any check. */
const ATTACHED_FILE = /(?<![\w`])@(\.?[^\s`,.]*(?:\.[^\s`,.]+)*)/g

const PATCHED_FILE = /^\*\*\* (?:Add File|Delete File|Update File|Move to): (.+)$/gm

/**
 * Checks the paths in the arguments of a tool. A file tool's paths below /tmp and HOME of the sandbox are replaced by the
 * host's.
 *
 * @throws Error that the model reads, when a path leads out of the working directory
 */
export const checkToolPaths = (reach: Reach, tool: string, args: Arguments): void => {
  const name = PATH_ARGUMENTS[tool]
  if (name !== undefined && typeof args[name] === 'string') args[name] = replacePath(reach, args[name])
  if (tool === 'bash' && typeof args.workdir === 'string') checkWorkingDirectory(reach, args.workdir)
  if (tool === 'read' && typeof args.filePath === 'string') checkInstructions(reach, args.filePath)
  if (tool === 'apply_patch' && typeof args.patchText === 'string')
    for (const [, file = ''] of args.patchText.matchAll(PATCHED_FILE)) checkPath(reach, file.trim())
  if (tool === 'task' && typeof args.prompt === 'string')
    for (const [, file = ''] of args.prompt.matchAll(ATTACHED_FILE)) checkAttachment(reach, file)
}

const checkPath = (reach: Reach, given: string): void => {
  const real = resolveLinks(path.resolve(reach.directory, given))
  if ([reach.directory, reach.home, reach.tmp].some((root) => isWithin(root, real))) return
  if (!reach.outputs.has(real)) throw new Error(`${given} is outside the working directory. Use a path inside it.`)
}

const replacePath = (reach: Reach, given: string): string => {
  const file = path.resolve(reach.directory, given)
  const host = reach.outputs.has(file) ? file : toHost(reach, file)
  checkPath(reach, host)
  return host
}

/** A directory below /tmp or HOME is one of the sandbox. */
const checkWorkingDirectory = (reach: Reach, given: string): void => {
  if (!['/tmp', SANDBOX_HOME].some((root) => isWithin(root, path.resolve(reach.directory, given))))
    checkPath(reach, given)
}

/** Returns the file of the host that a command in the sandbox would reach by this path. */
const toHost = ({ directory, home, tmp }: Reach, file: string): string => {
  if (isWithin(directory, file)) return file
  if (isWithin(SANDBOX_HOME, file)) return path.join(home, path.relative(SANDBOX_HOME, file))
  if (isWithin('/tmp', file) && ![home, tmp].some((root) => isWithin(root, file)))
    return path.join(tmp, path.relative('/tmp', file))
  return file
}

const checkInstructions = (reach: Reach, file: string): void => {
  let directory = path.dirname(path.resolve(reach.directory, file))
  for (; isWithin(reach.directory, directory); directory = path.dirname(directory))
    for (const name of INSTRUCTION_FILES) checkPath(reach, path.join(directory, name))
}

const checkAttachment = (reach: Reach, given: string): void => {
  // `@name` may be an agent, and anything that does not exist stays text.
  const file = given.startsWith('~/') ? path.join('/', given) : path.resolve(reach.worktree, given)
  if (given.startsWith('~/') || exists(file)) checkPath(reach, file)
}

const exists = (file: string): boolean => lstatSync(file, { throwIfNoEntry: false }) !== undefined
