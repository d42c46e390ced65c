// How a checkout that others work in stands: what it has that nobody else has, and how it compares to its base.

import { execFile } from 'node:child_process'
import type { WorkState } from '@switchyard/contracts'
import { isValidBase } from '../branch.ts'
import { type ForeignCheckout, openForeign } from './open.ts'
import { findUncommitted } from './snapshot.ts'

/** A directory with millions of files is not waited for, ms. */
const DISK_TIMEOUT_MS = 5_000
const TIMEOUT_MS = 60_000

const diskBytes = (directory: string): Promise<number | null> =>
  new Promise((resolve) => {
    // Files may go while they are counted: that makes the exit code, and the figure is there all the same.
    execFile('du', ['-skx', '--', directory], { timeout: DISK_TIMEOUT_MS }, (_error, stdout) => {
      const kibibytes = Number(/^(\d+)\t/.exec(stdout)?.[1] ?? Number.NaN)
      resolve(Number.isFinite(kibibytes) ? kibibytes * 1_024 : null)
    })
  })

const lineOf = async ({ own }: ForeignCheckout, args: readonly string[]): Promise<string> =>
  (await own.git(args, { timeoutMs: TIMEOUT_MS, okCodes: [0, 1, 128] })).stdout.toString('utf8').trim()

/** Commits that each side has alone; null where there is nothing to compare with. */
const compare = async (checkout: ForeignCheckout, head: string, base: string | null) => {
  const names = base !== null && isValidBase(base) ? [`refs/remotes/origin/${base}`, `refs/tags/${base}`, base] : []
  for (const name of names) {
    const commit = await lineOf(checkout, ['rev-parse', '--quiet', '--verify', '--end-of-options', `${name}^{commit}`])
    if (!/^[0-9a-f]{40,64}$/.test(commit)) continue
    const told = await lineOf(checkout, ['rev-list', '--left-right', '--count', `${commit}...${head}`])
    const [behind, ahead] = told.split(/\s+/).map(Number)
    return { ahead: ahead ?? null, behind: behind ?? null }
  }
  return { ahead: null, behind: null }
}

/**
 * Reads a working directory as it is now; nothing is written into it and nothing that it configures is run.
 *
 * @param base - branch, tag or commit that its work is compared with, as of the last fetch
 * @throws SwitchyardError `repository_not_found`, `repository_unavailable`, `call_timeout`
 */
export const readWorkState = async (directory: string, base: string | null): Promise<WorkState> => {
  const checkout = await openForeign(directory)
  const { head, branch, stashes } = checkout
  try {
    const [uncommitted, compared, unpushed, disk] = await Promise.all([
      findUncommitted(checkout),
      head === null ? { ahead: null, behind: null } : compare(checkout, head, base),
      head === null ? '0' : lineOf(checkout, ['rev-list', '--count', head, '--not', '--remotes']),
      diskBytes(checkout.directory),
    ])
    return {
      branch,
      head,
      ...compared,
      dirty: uncommitted.names.length + uncommitted.left.length,
      unpushed: Number(unpushed),
      stashes,
      disk_bytes: disk,
    }
  } finally {
    await checkout.close()
  }
}

/** The commit and the branch that are checked out. @throws SwitchyardError as `readWorkState` */
export const readCheckedOut = async (
  directory: string,
): Promise<{ readonly head: string | null; readonly branch: string | null }> => {
  const { head, branch, close } = await openForeign(directory)
  await close()
  return { head, branch }
}
