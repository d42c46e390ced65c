// Stops a server that an earlier, killed process left running on our data directory.

import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { commandLine, isAlive, stopProcess, workingDirectory } from '../system/processes.ts'

/**
 * Stops a leftover server cleanly, and removes a pid file whose pid another process has now (PostgreSQL
 * would refuse to start). Call it only with the home locked: the lock guarantees that nobody uses the
 * server.
 *
 * @param data - the real path of the data directory.
 * @throws SwitchyardError `database_unavailable` if the server does not stop within 27 s
 */
export const stopLeftoverServer = async (data: string): Promise<void> => {
  const pidFile = path.join(data, 'postmaster.pid')
  const pid = Number.parseInt((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0] ?? '', 10)
  if (!Number.isInteger(pid) || pid <= 1) return
  if (await isServerOn(data, pid)) {
    const hasExited = await stopProcess(
      pid,
      [
        { signal: 'SIGINT', waitMs: 20_000 },
        { signal: 'SIGQUIT', waitMs: 5_000 },
        { signal: 'SIGKILL', waitMs: 2_000 },
      ],
      async () => !(await isServerOn(data, pid)),
    )
    if (!hasExited)
      throw new SwitchyardError(
        'database_unavailable',
        `PostgreSQL from an earlier run (process ${pid}) does not stop, and uses ${data}`,
        {
          hint: `Stop process ${pid}.`,
        },
      )
  }
  // PostgreSQL's lock on shared memory still protects the directory from leftover worker processes.
  await rm(pidFile, { force: true })
}

const isServerOn = async (data: string, pid: number): Promise<boolean> => {
  if (!isAlive(pid)) return false
  const args = await commandLine(pid)
  if (path.basename(args[0] ?? '') !== 'postgres') return false
  // The server's working directory is its data directory; if the system does not show it, the arguments name it.
  const directory = await workingDirectory(pid)
  return directory === undefined ? args.join(' ').includes(`-D ${data} `) : directory === data
}
