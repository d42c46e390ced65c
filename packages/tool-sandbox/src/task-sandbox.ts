// The sandbox of one working directory: its HOME, its /tmp, and the command that enters it.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { findGitDirectories, type GitDirectories } from './git-directories.ts'
import { isWithin, resolveLinks } from './paths.ts'
import { SANDBOX_HOME, type SandboxSettings } from './settings.ts'

export type TaskSandbox = {
  /** The working directory, without symbolic links. */
  readonly directory: string
  /** The host's directory that is HOME in the sandbox. */
  readonly home: string
  /** The host's directory that is /tmp in the sandbox. */
  readonly tmp: string
  /** Returns the command that runs a shell in the sandbox; the shell's own arguments follow it. */
  readonly command: (cwd: string) => readonly string[]
}

/** What was found in a working directory before an agent ran there. */
type Recorded = GitDirectories & { readonly inode: string }

/**
 * Returns the sandbox of a working directory. Creates its HOME and /tmp if they do not exist.
 *
 * @param shown - the working directory as OpenCode names it, and as the sandbox shows it
 * @returns undefined for a directory that contains those of tasks: no command may run there
 */
export const taskSandbox = (settings: SandboxSettings, shown: string): TaskSandbox | undefined => {
  const directory = resolveLinks(shown)
  if ([settings.workspaces, settings.state].some((root) => isWithin(directory, root))) return undefined
  // The arguments are separated by line breaks.
  if (`${shown}${directory}`.includes('\n')) return undefined
  const state = path.join(settings.state, createHash('sha256').update(directory).digest('hex').slice(0, 32))
  const { writable, readOnly } = recordedDirectories(settings, directory, state)
  const home = path.join(state, 'home')
  const tmp = path.join(state, 'tmp')
  createHome(home, settings)
  mkdirSync(tmp, { recursive: true, mode: 0o700 })
  const binds = [
    ...bind('--bind', tmp, '/tmp'),
    ...bind('--bind', home, SANDBOX_HOME),
    ...readOnly.flatMap((found) => bind('--ro-bind', found, found)),
    ...writable.flatMap((found) => bind('--bind', found, found)),
    ...bind('--bind', directory, shown),
    ...(shown === directory ? [] : bind('--bind', directory, directory)),
  ]
  const variables = Object.entries(settings.environment).flatMap(([name, value]) => ['--setenv', name, value])
  return {
    directory,
    home,
    tmp,
    command: (cwd) => [...settings.command, ...binds, ...variables, '--chdir', cwd, '--', settings.shell],
  }
}

const bind = (kind: string, from: string, to: string): readonly string[] => [kind, from, to]

/**
 * Returns what was recorded for this directory before an agent ran there: afterwards, its `.git` may name any directory. A
 * directory that was removed and created again is read again.
 */
const recordedDirectories = (settings: SandboxSettings, directory: string, state: string): Recorded => {
  const file = path.join(state, 'directories.json')
  const { ino, birthtimeMs } = statSync(directory)
  const inode = `${ino} ${birthtimeMs}`
  const found: Recorded | undefined = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
  if (found?.inode === inode) return found
  // What an earlier task left in its HOME and /tmp.
  rmSync(state, { recursive: true, force: true })
  mkdirSync(state, { recursive: true, mode: 0o700 })
  // A user's own checkout lies elsewhere, and so may its repository.
  const roots = isWithin(settings.workspaces, directory) ? settings.repositories : ['/']
  const recorded = { inode, ...findGitDirectories(directory, roots) }
  writeFileSync(file, JSON.stringify(recorded))
  return recorded
}

const createHome = (home: string, { author }: SandboxSettings): void => {
  if (existsSync(home)) return
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const user = `[user]\n\tname = ${quote(author.name)}\n\temail = ${quote(author.email)}\n`
  writeFileSync(path.join(home, '.gitconfig'), `${user}[safe]\n\tdirectory = *\n`)
}

const quote = (value: string): string => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
