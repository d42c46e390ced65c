// Chooses the account that PostgreSQL runs as: it refuses to run as root.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { SwitchyardError } from '@switchyard/contracts'

/** The uid and gid to switch to; undefined for the current user. */
export type Account = { readonly uid: number; readonly gid: number } | undefined

const run = promisify(execFile)

/** The account of Debian and Alpine, of macOS, and the one that exists everywhere. initdb looks the name up, so the uid needs a name. */
const CANDIDATES = ['postgres', '_postgres', 'nobody']

/**
 * Chooses the account: the current user, unless that is root.
 *
 * @param owner - owner of the data directory, if it exists; only this account can read the data.
 * @throws SwitchyardError `not_supported` if root finds no other account
 */
export const chooseAccount = async (owner?: { readonly uid: number; readonly gid: number }): Promise<Account> => {
  if (process.getuid?.() !== 0) return undefined
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  for (const name of CANDIDATES) {
    const account = await lookUp(name)
    if (account !== undefined && account.uid !== 0) return account
  }
  throw new SwitchyardError(
    'not_supported',
    'PostgreSQL refuses to run as root, and this system has no account for it',
    {
      hint: `Add one of the users ${CANDIDATES.join(', ')}, run Switchyard as another user than root, or set DATABASE_URL.`,
    },
  )
}

const lookUp = async (name: string): Promise<Account> => {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    return { uid: Number.parseInt(uid.stdout, 10), gid: Number.parseInt(gid.stdout, 10) }
  } catch {
    return undefined
  }
}

/**
 * Returns whether the account can reach a file and execute it, or enter a directory. The check runs as
 * that account, because mode bits show neither ACLs nor `noexec` mounts.
 *
 * @throws SwitchyardError `not_supported` if this process may not switch accounts
 */
export const canExecute = async (account: Account, file: string): Promise<boolean> => {
  const child = spawn('/bin/sh', ['-c', 'test -x "$1"', 'sh', file], { ...account, cwd: '/', env: {}, stdio: 'ignore' })
  try {
    const [code] = await once(child, 'exit')
    return code === 0
  } catch (error) {
    // Root without the capability to switch users, as in a container with all capabilities dropped.
    throw new SwitchyardError(
      'not_supported',
      'PostgreSQL refuses to run as root, and this process may not switch to another account',
      {
        hint: 'Run Switchyard as another user than root, or set DATABASE_URL.',
        cause: error,
      },
    )
  }
}
