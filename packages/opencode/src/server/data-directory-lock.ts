// One writer a data directory: a file that says which server of ours uses it, and lets a later start end a stale one.

import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import { z } from 'zod'
import { processInfo, sweep } from './processes.ts'

const recordSchema = z.object({
  /** The marker that the server and all its tools carry. */
  server_id: z.string().min(1),
  /** The Switchyard that started it. */
  owner: z.object({ pid: z.number().int().positive(), started_at: z.string() }),
  /** null until the process is there. */
  server: z.object({ pid: z.number().int().positive(), started_at: z.string() }).nullable(),
})
type LockRecord = z.infer<typeof recordSchema>

export type ServerLock = {
  /** How many processes of an earlier, abandoned server were ended. */
  readonly swept: number
  /** Notes the process, so that it can be found again after a death of ours. */
  readonly note: (pid: number) => Promise<void>
  readonly release: () => Promise<void>
}

/**
 * Takes the data directory for the server `serverId`. A server of ours whose owner died is ended first, with its tools.
 *
 * @throws SwitchyardError `home_in_use` when another living Switchyard holds it, or when the file cannot be understood.
 */
export const lockServer = async (dataDir: string, serverId: string): Promise<ServerLock> => {
  const file = path.join(dataDir, 'server.json')
  const owner = { pid: process.pid, started_at: (await processInfo(process.pid))?.startedAt ?? '' }
  let swept = 0
  while (!(await create(file, { server_id: serverId, owner, server: null }))) {
    swept += await endAbandoned(file)
  }
  return {
    swept,
    note: async (pid) => {
      const started = (await processInfo(pid))?.startedAt
      if (started === undefined) return
      await replace(file, { server_id: serverId, owner, server: { pid, started_at: started } })
    },
    release: async () => {
      if ((await read(file))?.server_id === serverId) await rm(file, { force: true })
    },
  }
}

const endAbandoned = async (file: string): Promise<number> => {
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
  // Renamed before it is removed, so that of two starts only one takes this record away.
  const aside = `${file}.${randomUUID()}`
  await rename(file, aside).catch(() => undefined)
  await rm(aside, { force: true })
  return swept
}

/** Where environments cannot be read, pid and start time together are the proof. */
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
    // It is written in one piece, so this is not a torn write. Taking it for "no server" could make two writers.
    throw new SwitchyardError('home_in_use', `${file} cannot be understood`, {
      hint: 'Make sure that no `opencode serve` uses this directory, then delete the file.',
      cause,
    })
  }
}

/** Complete or not at all, and only where there is none: a hard link does both. */
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
