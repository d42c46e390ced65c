// Makes sure that one OpenCode server uses a data directory: two servers on one database run the same session twice.

import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import { z } from 'zod'
import { processInfo, sweep } from './processes.ts'

const recordSchema = z.object({
  /** The value of the marker that the server and its tools carry. */
  server_id: z.string().min(1),
  /** The Switchyard process that started the server. */
  owner: z.object({ pid: z.number().int().positive(), started_at: z.string() }),
  /** null until the server's process exists. */
  server: z.object({ pid: z.number().int().positive(), started_at: z.string() }).nullable(),
})
type LockRecord = z.infer<typeof recordSchema>

export type DataDirectoryLock = {
  /** How many processes of an earlier, abandoned server were killed. */
  readonly swept: number
  /** Records the server's process, so that a later start can kill it if this process dies. */
  readonly recordServer: (pid: number) => Promise<void>
  readonly release: () => Promise<void>
}

/**
 * Locks the data directory for one server. A server whose owner has died is killed first, with its tools.
 *
 * @throws SwitchyardError `home_in_use` when a live Switchyard process holds the lock, or the lock file is unreadable
 */
export const lockDataDirectory = async (dataDir: string, serverId: string): Promise<DataDirectoryLock> => {
  const file = path.join(dataDir, 'server.json')
  const owner = { pid: process.pid, started_at: (await processInfo(process.pid))?.startedAt ?? '' }
  let swept = 0
  while (!(await create(file, { server_id: serverId, owner, server: null }))) {
    swept += await removeAbandoned(file)
  }
  return {
    swept,
    recordServer: async (pid) => {
      const startedAt = (await processInfo(pid))?.startedAt
      if (startedAt === undefined) return
      await replace(file, { server_id: serverId, owner, server: { pid, started_at: startedAt } })
    },
    release: async () => {
      if ((await read(file))?.server_id === serverId) await rm(file, { force: true })
    },
  }
}

const removeAbandoned = async (file: string): Promise<number> => {
  const record = await read(file)
  if (record === undefined) return 0
  const isOwnerAlive = (await processInfo(record.owner.pid))?.startedAt === record.owner.started_at
  if (isOwnerAlive) {
    throw new SwitchyardError(
      'home_in_use',
      `process ${record.owner.pid} already runs an OpenCode server on ${path.dirname(file)}`,
    )
  }
  const known = record.server ? await sameProcess(record.server) : []
  const swept = await sweep(record.server_id, known)
  // Of two concurrent starts, only one can rename the file; the other must not remove the winner's new lock.
  const aside = `${file}.${randomUUID()}`
  await rename(file, aside).catch(() => undefined)
  await rm(aside, { force: true })
  return swept
}

/** Where environments cannot be read, pid and start time together identify the process. */
const sameProcess = async (server: { pid: number; started_at: string }) => {
  const info = await processInfo(server.pid)
  return info !== undefined && info.startedAt === server.started_at ? [info] : []
}

const read = async (file: string): Promise<LockRecord | undefined> => {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch (cause) {
    // The file is written atomically, so this is no partial write. Ignoring it could start a second writer.
    throw new SwitchyardError('home_in_use', `${file} is not a valid lock file`, {
      hint: 'Make sure that no `opencode serve` uses this directory, then delete the file.',
      cause,
    })
  }
}

/** Creates the file atomically, unless it exists: a hard link does both. */
const create = async (file: string, record: LockRecord): Promise<boolean> => {
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(record), { mode: 0o600 })
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

const replace = async (file: string, record: LockRecord): Promise<void> => {
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(record), { mode: 0o600 })
  await rename(draft, file)
}
