// Decides where the database of a home is stored: in the home, or outside it if PostgreSQL's account cannot reach the home.

import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { type Account, canExecute, chooseAccount } from './account.ts'

export type Location = {
  /** Contains `data/`, `password` and, if they were needed, copied binaries. */
  readonly directory: string
  readonly account: Account
  readonly isOutside: boolean
}

/** File with the path of the directory outside: a home that was moved still finds its data. */
const POINTER = 'location'

/** Both survive a reboot, unlike /tmp. */
const OUTSIDE = ['/var/lib/switchyard', '/var/tmp/switchyard']

/**
 * Finds the location of a home's database, or creates one. A location outside is needed when root's
 * home is below a closed directory such as /root, whose mode is never changed.
 *
 * @throws SwitchyardError `directory_unwritable`, or `database_unavailable` if the previous location no longer exists
 */
export const locate = async (home: string): Promise<Location> => {
  const inside = path.join(home, 'postgres')
  await mkdir(inside, { recursive: true })
  const pointed = await readPointer(inside)
  const directory = pointed ?? inside
  const owner = await stat(path.join(directory, 'data')).catch(() => undefined)
  const account = await chooseAccount(owner)
  if (account === undefined) {
    if (owner !== undefined && owner.uid !== process.getuid?.())
      throw new SwitchyardError(
        'directory_unwritable',
        `the database in ${directory} belongs to user ${owner.uid}, but PostgreSQL would run as user ${process.getuid?.()}`,
        { hint: 'Run Switchyard as the user who ran it first, or set SWITCHYARD_HOME to another directory.' },
      )
    return { directory, account, isOutside: pointed !== undefined }
  }
  if (pointed !== undefined) return { directory, account, isOutside: true }
  await chmod(inside, 0o711)
  if (await canExecute(account, inside)) return { directory, account, isOutside: false }
  if (owner !== undefined)
    throw new SwitchyardError(
      'directory_unwritable',
      `user ${account.uid} owns the database in ${inside} but can no longer reach it`,
      { hint: 'Run chmod o+x on every directory above it, or run Switchyard as that user.' },
    )
  return { directory: await createOutside(home, inside, account), account, isOutside: true }
}

const readPointer = async (inside: string): Promise<string | undefined> => {
  const pointer = path.join(inside, POINTER)
  const pointed = (await readFile(pointer, 'utf8').catch(() => '')).trim()
  if (pointed === '') return undefined
  if (await stat(pointed).catch(() => undefined)) return pointed
  throw new SwitchyardError(
    'database_unavailable',
    `the database of this home was in ${pointed}, which no longer exists`,
    {
      retryable: false,
      hint: `Restore that directory, or remove ${pointer} to start with an empty database.`,
    },
  )
}

const createOutside = async (home: string, inside: string, account: Account): Promise<string> => {
  const failures: string[] = []
  for (const parent of OUTSIDE) {
    const directory = path.join(parent, `${path.basename(path.dirname(home))}-${randomBytes(6).toString('hex')}`)
    try {
      await mkdir(directory, { recursive: true })
      await chmod(parent, 0o711)
      await chmod(directory, 0o711)
      if (!(await canExecute(account, directory))) throw new Error(`user ${account?.uid} cannot reach it`)
      await writeFile(path.join(directory, 'home'), `${home}\n`)
      const pointer = path.join(inside, POINTER)
      await writeFile(`${pointer}.new`, `${directory}\n`)
      await rename(`${pointer}.new`, pointer)
      return directory
    } catch (error) {
      failures.push(`${parent}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new SwitchyardError(
    'directory_unwritable',
    `PostgreSQL runs as user ${account?.uid}, who can reach neither ${home} nor a directory outside it (${failures.join('; ')})`,
    { hint: 'Set SWITCHYARD_HOME to a directory that this user can reach, such as /srv/switchyard.' },
  )
}
