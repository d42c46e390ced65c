// Pushes one commit to one branch, and says in our errors why a remote would not take it.

import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import type { Connection } from '../access/connection.ts'
import { remoteWords, toGitError } from '../command/errors.ts'
import type { OwnRepository } from '../untrusted/isolated-repository.ts'

export type PushRequest = {
  readonly commit: string
  readonly branch: string
  /** Replaces the branch if this is what it has, or (null) if there is none; undefined: only adds to it. */
  readonly replaces?: string | null
  readonly signal?: AbortSignal
}

const TIMEOUT_MS = 10 * 60_000
const WRITE_ACCESS =
  'Let the worker write to the repository: allow write access for its deploy key, or give it a token that may push.'

/**
 * A push to a repository on this machine runs in that repository, with our rights: without its hooks, without a command
 * that it names, and without a change of files that are checked out there.
 */
export const LOCAL_RECEIVE_PACK = `--receive-pack=git ${[
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.alternateRefsCommand=',
  'receive.denyCurrentBranch=refuse',
  'receive.autogc=false',
]
  .map((setting) => `-c ${setting}`)
  .join(' ')} receive-pack`

/** `<flag>\t<from>:<to>\t<summary> (<reason>)`: one line a ref. */
const refLine = (stdout: string): { readonly flag: string; readonly summary: string } | undefined => {
  const [, flag, summary] = /^([ +\-*=!])\t[^\t]*\t(.*)$/m.exec(stdout) ?? []
  return flag === undefined || summary === undefined ? undefined : { flag, summary }
}

const refusal = (branch: string, summary: string, stderr: string): SwitchyardError => {
  if (!summary.startsWith('[remote rejected]'))
    return new SwitchyardError(
      'branch_diverged',
      /stale info/.test(summary)
        ? `branch "${branch}" has changed on the remote since it was last looked at`
        : `branch "${branch}" has commits on the remote that this work has not`,
    )
  const reason = /\(([^)]*)\)\s*$/.exec(summary)?.[1] ?? 'no reason given'
  const words = remoteWords(stderr)
  return new SwitchyardError(
    'push_rejected',
    `the remote refused branch "${branch}": ${reason}${words === '' ? '' : `; it says: ${words}`}`,
  )
}

/**
 * @returns false where the branch was there already
 * @throws SwitchyardError `branch_diverged`, `push_rejected`, `repository_access_denied` and the other `repository_*` and
 *   `host_key_*` codes, `call_timeout`
 */
export const push = async (
  own: OwnRepository,
  { url, env, config }: Connection,
  request: PushRequest,
): Promise<boolean> => {
  const { commit, branch, replaces, signal } = request
  const ref = `refs/heads/${branch}`
  const lease = replaces === undefined ? [] : [`--force-with-lease=${ref}:${replaces ?? ''}`]
  const quiet = ['--no-verify', '--no-signed', '--no-follow-tags', '--no-recurse-submodules', '--no-progress']
  try {
    const { code, stdout, stderr } = await own.git(
      [
        'push',
        '--porcelain',
        ...quiet,
        ...lease,
        ...(url.startsWith('/') ? [LOCAL_RECEIVE_PACK] : []),
        '--',
        url,
        `${commit}:${ref}`,
      ],
      { env, config, timeoutMs: TIMEOUT_MS, okCodes: [0, 1], ...(signal ? { signal } : {}) },
    )
    const line = refLine(stdout.toString('utf8'))
    if (line?.flag === '!') throw refusal(branch, line.summary, stderr)
    if (code !== 0) throw toGitError('push', stderr)
    return line?.flag !== '='
  } catch (error) {
    // Whoever could read and cannot write is told so by some forges as if there were no repository.
    if (!isSwitchyardError(error, 'repository_access_denied') && !isSwitchyardError(error, 'repository_not_found'))
      throw error
    throw new SwitchyardError('repository_access_denied', error.message, { hint: WRITE_ACCESS, cause: error })
  }
}
