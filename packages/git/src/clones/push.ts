// Pushes one commit to one branch, and reports in our errors why a remote refused it.

import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import type { Connection } from '../access/connection.ts'
import { remoteMessage, toGitError } from '../command/errors.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'

export type PushRequest = {
  readonly commit: string
  readonly branch: string
  /**
   * Replace the branch if its tip is this commit; null: create the branch if it does not exist. Default: only add
   * commits to the branch.
   */
  readonly replaces?: string | null
  readonly signal?: AbortSignal
}

const TIMEOUT_MS = 10 * 60_000
const WRITE_ACCESS_HINT =
  'Give the worker write access to the repository: allow write access for its deploy key, or use a token that may push.'

/**
 * Makes a push to a repository of this machine safe. Its receive-pack runs with our permissions, so it runs without
 * hooks and configured commands, and never updates files that are checked out there.
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

/** Parses the line of a ref: `<flag>\t<from>:<to>\t<summary> (<reason>)`. */
const refLine = (stdout: string): { readonly flag: string; readonly summary: string } | undefined => {
  const [, flag, summary] = /^([ +\-*=!])\t[^\t]*\t(.*)$/m.exec(stdout) ?? []
  return flag === undefined || summary === undefined ? undefined : { flag, summary }
}

const refusal = (branch: string, summary: string, stderr: string): SwitchyardError => {
  if (!summary.startsWith('[remote rejected]'))
    return new SwitchyardError(
      'branch_diverged',
      /stale info/.test(summary)
        ? `branch "${branch}" has changed on the remote since the last fetch`
        : `branch "${branch}" has commits on the remote that this work does not have`,
    )
  const reason = /\(([^)]*)\)\s*$/.exec(summary)?.[1] ?? 'no reason given'
  const message = remoteMessage(stderr)
  return new SwitchyardError(
    'push_rejected',
    `the remote refused branch "${branch}": ${reason}${message === '' ? '' : `; the remote reports: ${message}`}`,
  )
}

/**
 * Pushes a commit to a branch.
 *
 * @returns false when the branch was already at the commit
 * @throws SwitchyardError `branch_diverged`, `push_rejected`, `repository_access_denied` and the other
 *   `repository_*` and `host_key_*` codes, `call_timeout`
 */
export const push = async (
  isolated: IsolatedRepository,
  { url, env, config }: Connection,
  request: PushRequest,
): Promise<boolean> => {
  const { commit, branch, replaces, signal } = request
  const ref = `refs/heads/${branch}`
  const lease = replaces === undefined ? [] : [`--force-with-lease=${ref}:${replaces ?? ''}`]
  const quiet = ['--no-verify', '--no-signed', '--no-follow-tags', '--no-recurse-submodules', '--no-progress']
  try {
    const { code, stdout, stderr } = await isolated.git(
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
    // The fetch before worked. To a caller that can read but not write, some forges report that the repository
    // does not exist.
    if (!isSwitchyardError(error, 'repository_access_denied') && !isSwitchyardError(error, 'repository_not_found'))
      throw error
    throw new SwitchyardError('repository_access_denied', error.message, { hint: WRITE_ACCESS_HINT, cause: error })
  }
}
