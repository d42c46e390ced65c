// Runs git: no shell, a clean environment, hooks and configured commands off, bounded in time and output.

import { spawn } from 'node:child_process'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { toGitError } from './errors.ts'

export type GitOptions = {
  readonly cwd?: string
  /** Added to the clean environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Further `-c` settings, before the command. */
  readonly config?: readonly string[]
  /** ms; default 30000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  readonly input?: string
  /** Bytes of output at most; default 64 MiB. More is cut, and `truncated` says so. */
  readonly maxBytes?: number
  /** Exit codes that are no failure; default 0 alone. */
  readonly okCodes?: readonly number[]
}

export type GitOutput = {
  readonly stdout: Buffer
  /** The first 16 KiB of it. */
  readonly stderr: string
  readonly truncated: boolean
  readonly code: number
}

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_MAX_BYTES = 64 * 1_048_576
/** As much as one piece of text can hold: some millions of names. */
export const MAX_TEXT_BYTES = 256 * 1_048_576
const MAX_STDERR = 16_384
const KILL_AFTER_MS = 2_000

/**
 * Settings that make git run nothing that a repository names. Drivers have names of their own choice: see `untrusted.ts`.
 * A command that is empty is no command.
 */
const SAFE: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.sshCommand=',
  'core.gitProxy=',
  'core.askPass=',
  'core.editor=true',
  'core.pager=cat',
  'core.alternateRefsCommand=',
  'core.untrackedCache=false',
  'credential.helper=',
  'diff.external=',
  'gc.auto=0',
  'maintenance.auto=false',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'fetch.writeCommitGraph=false',
  'protocol.ext.allow=never',
  'safe.directory=*',
  'safe.bareRepository=all',
  'commit.gpgSign=false',
  'tag.gpgSign=false',
  'advice.detachedHead=false',
  'init.defaultBranch=main',
]

const CLEAN_ENV: Readonly<Record<string, string>> = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_SYSTEM: '/dev/null',
  // A file, since the far side of a local fetch gets none of the settings below, but this.
  GIT_CONFIG_GLOBAL: path.join(import.meta.dirname, 'trusted.gitconfig'),
  // An object that is missing is not looked for where a repository's configuration says.
  GIT_NO_LAZY_FETCH: '1',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '/bin/false',
  SSH_ASKPASS: '/bin/false',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_PROTOCOL_FROM_USER: '0',
  GIT_ALLOW_PROTOCOL: 'file:git:http:https:ssh',
  GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=15',
  LC_ALL: 'C',
}

/** Settings as the environment, which outranks what a repository configures. */
const settings = (pairs: readonly string[]): Record<string, string> => {
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(pairs.length) }
  for (const [index, pair] of pairs.entries()) {
    const equals = pair.indexOf('=')
    env[`GIT_CONFIG_KEY_${index}`] = pair.slice(0, equals)
    env[`GIT_CONFIG_VALUE_${index}`] = pair.slice(equals + 1)
  }
  return env
}

// git is looked for where the caller's own shell finds it; nothing else is taken from the environment.
// biome-ignore lint/style/noProcessEnv: the one variable that is not a setting
export const PATH = process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'

/**
 * Runs one git command.
 *
 * @throws SwitchyardError `repository_*`, `branch_not_found`, `disk_full`, `directory_unwritable`, `call_timeout`, by what
 *   git says; the signal's reason when it fires. Messages hold no credentials.
 */
export const git = (args: readonly string[], options: GitOptions = {}): Promise<GitOutput> =>
  new Promise((resolve, reject) => {
    const { signal } = options
    if (signal?.aborted) return reject(signal.reason)
    const child = spawn('git', [...args], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { PATH, ...CLEAN_ENV, ...settings([...SAFE, ...(options.config ?? [])]), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: git's children (ssh, index-pack) end with it.
      detached: true,
    })
    const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
    const chunks: Buffer[] = []
    let size = 0
    let truncated = false
    let stderr = ''
    let ending: unknown = null
    let lastResort: NodeJS.Timeout | undefined

    const kill = (name: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name)
      } catch {
        // It has ended by itself.
      }
    }
    const end = (reason: unknown) => {
      ending ??= reason
      kill('SIGTERM')
      lastResort ??= setTimeout(() => kill('SIGKILL'), KILL_AFTER_MS)
    }
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const timer = setTimeout(
      () => end(new SwitchyardError('call_timeout', `git ${args[0]} took longer than ${timeoutMs} ms`)),
      timeoutMs,
    )
    const onAbort = () => end(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    child.stdout.on('data', (chunk: Buffer) => {
      if (size + chunk.length > maxBytes) {
        truncated = true
        chunks.push(chunk.subarray(0, maxBytes - size))
        size = maxBytes
        kill('SIGTERM')
        return
      }
      size += chunk.length
      chunks.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < MAX_STDERR) stderr += chunk.toString('utf8')
    })
    // git may end without reading its input.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    child.on('error', (error) => {
      ending ??= new SwitchyardError('configuration_invalid', `git cannot be run: ${error.message}`, {
        hint: 'Install git on the machine that runs the worker, and see that its directories exist.',
      })
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      clearTimeout(lastResort)
      signal?.removeEventListener('abort', onAbort)
      if (ending !== null) return reject(ending)
      const ok = truncated || (options.okCodes ?? [0]).includes(code ?? -1)
      if (!ok) return reject(toGitError(args[0] ?? '', stderr || `exit code ${code}`))
      resolve({ stdout: Buffer.concat(chunks), stderr, truncated, code: code ?? 0 })
    })
  })

/** As `git`, for output that is one line of text. */
export const gitLine = async (args: readonly string[], options: GitOptions = {}): Promise<string> =>
  (await git(args, options)).stdout.toString('utf8').trim()
