// Runs git without a shell, in a clean environment, with hooks and configured commands disabled, and with
// limits on time and output.

import { spawn } from 'node:child_process'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { toGitError } from './errors.ts'

export type GitOptions = {
  readonly cwd?: string
  /** Variables to add to the clean environment. */
  readonly env?: Readonly<Record<string, string>>
  /** More settings, as `name=value`. */
  readonly config?: readonly string[]
  /** Default 30,000 ms. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  readonly input?: string
  /** Maximum output in bytes; default 64 MiB. Longer output is cut and marked `truncated`. */
  readonly maxBytes?: number
  /** Exit codes that count as success; default 0. */
  readonly okCodes?: readonly number[]
}

export type GitOutput = {
  readonly stdout: Buffer
  /** The first 16 KiB. */
  readonly stderr: string
  readonly truncated: boolean
  readonly code: number
}

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_MAX_BYTES = 64 * 1_048_576
/** Below the maximum string length of V8; enough for millions of file names. */
export const MAX_TEXT_BYTES = 256 * 1_048_576
const MAX_STDERR = 16_384
const KILL_AFTER_MS = 2_000

/**
 * Settings that keep git from running commands that a repository configures. An empty value disables a
 * command. Filter, diff and merge drivers have arbitrary names, so settings cannot disable them: see
 * `untrusted/isolated-repository.ts`.
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
  // In a local fetch, the git process on the other side gets this file but none of the settings above.
  GIT_CONFIG_GLOBAL: path.join(import.meta.dirname, 'trusted.gitconfig'),
  // Otherwise git fetches missing objects from wherever the repository's configuration says.
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

/** Returns the settings as environment variables, which take precedence over a repository's configuration. */
const settings = (pairs: readonly string[]): Record<string, string> => {
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(pairs.length) }
  for (const [index, pair] of pairs.entries()) {
    const equals = pair.indexOf('=')
    env[`GIT_CONFIG_KEY_${index}`] = pair.slice(0, equals)
    env[`GIT_CONFIG_VALUE_${index}`] = pair.slice(equals + 1)
  }
  return env
}

// PATH is the only variable that git gets from our environment.
// biome-ignore lint/style/noProcessEnv: PATH is not a setting
export const PATH = process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'

/**
 * Runs one git command.
 *
 * @throws SwitchyardError `repository_*`, `host_key_*`, `deploy_key_invalid`, `disk_full` or
 *   `directory_unwritable`, depending on what git printed; `call_timeout`; `configuration_invalid` when git
 *   cannot be started. Throws the signal's reason when the signal fires. Messages contain no credentials.
 */
export const git = (args: readonly string[], options: GitOptions = {}): Promise<GitOutput> =>
  new Promise((resolve, reject) => {
    const { signal } = options
    if (signal?.aborted) return reject(signal.reason)
    const child = spawn('git', [...args], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { PATH, ...CLEAN_ENV, ...settings([...SAFE, ...(options.config ?? [])]), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      // In a process group of its own, so that a signal also reaches git's children (ssh, index-pack).
      detached: true,
    })
    const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
    const chunks: Buffer[] = []
    let size = 0
    let truncated = false
    let stderr = ''
    let failure: unknown = null
    let killTimer: NodeJS.Timeout | undefined

    const kill = (name: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name)
      } catch {
        // The process has exited already.
      }
    }
    const stop = (reason: unknown) => {
      failure ??= reason
      kill('SIGTERM')
      killTimer ??= setTimeout(() => kill('SIGKILL'), KILL_AFTER_MS)
    }
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const timer = setTimeout(
      () => stop(new SwitchyardError('call_timeout', `git ${args[0]} took longer than ${timeoutMs} ms`)),
      timeoutMs,
    )
    const onAbort = () => stop(signal?.reason)
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
    // git may exit without reading its input.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    child.on('error', (error) => {
      failure ??= new SwitchyardError('configuration_invalid', `cannot run git: ${error.message}`, {
        hint: 'Install git on the machine that runs the worker, and create the directories that the settings name.',
      })
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      clearTimeout(killTimer)
      signal?.removeEventListener('abort', onAbort)
      if (failure !== null) return reject(failure)
      const ok = truncated || (options.okCodes ?? [0]).includes(code ?? -1)
      if (!ok) return reject(toGitError(args[0] ?? '', stderr || `exit code ${code}`))
      resolve({ stdout: Buffer.concat(chunks), stderr, truncated, code: code ?? 0 })
    })
  })

/** Runs git as `git` does, and returns its output as text without surrounding white space. */
export const gitLine = async (args: readonly string[], options: GitOptions = {}): Promise<string> =>
  (await git(args, options)).stdout.toString('utf8').trim()
