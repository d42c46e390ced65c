// The account that PostgreSQL runs as: it refuses root, so root lends it another one.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { SwitchyardError } from '@switchyard/contracts'

/** uid and gid to switch to; undefined: the user that runs us. */
export type Account = { readonly uid: number; readonly gid: number } | undefined

const run = promisify(execFile)

/** Debian's and Alpine's, macOS's, and the one that is everywhere. initdb looks the name up, so any number will not do. */
const CANDIDATES = ['postgres', '_postgres', 'nobody']

/**
 * Chooses the account: the user that runs us, unless that is root.
 *
 * @param owner - owner of the data directory, where there is one: what it wrote, only it may read.
 * @throws SwitchyardError `not_supported` where root finds no other account.
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
    'PostgreSQL refuses to run as root, and this system has no other account',
    {
      hint: `Add one of the users ${CANDIDATES.join(', ')}, run Switchyard as a user that is not root, or set DATABASE_URL.`,
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
 * Whether the account can pass to `file` and execute (for a directory: enter) it. Asked of the system as that account:
 * mode bits alone know neither ACLs nor `noexec` mounts.
 */
export const canExecute = async (account: Account, file: string): Promise<boolean> => {
  const child = spawn('/bin/sh', ['-c', 'test -x "$1"', 'sh', file], { ...account, cwd: '/', env: {}, stdio: 'ignore' })
  try {
    const [code] = await once(child, 'exit')
    return code === 0
  } catch (error) {
    // A root without the capability to become somebody else, as in a container with all capabilities dropped.
    throw new SwitchyardError(
      'not_supported',
      'PostgreSQL refuses to run as root, and this process may not switch to another account',
      {
        hint: 'Run Switchyard as a user that is not root, or set DATABASE_URL.',
        cause: error,
      },
    )
  }
}
