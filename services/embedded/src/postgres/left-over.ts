// A server that an earlier, killed process left running on our data directory.

import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { commandLine, endProcess, isAlive, workingDirectory } from '../processes.ts'

/**
 * Stops it cleanly, and removes a pid file whose pid now belongs to somebody else (PostgreSQL would refuse to start).
 * To be called only under the home lock: it makes any server on this directory one that nobody uses.
 *
 * @param data - the real path of the data directory.
 */
export const stopLeftOver = async (data: string): Promise<void> => {
  const pidFile = path.join(data, 'postmaster.pid')
  const pid = Number.parseInt((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0] ?? '', 10)
  if (!Number.isInteger(pid) || pid <= 1) return
  if (await isServerOn(data, pid)) {
    const isGone = await endProcess(
      pid,
      [
        { signal: 'SIGINT', waitMs: 20_000 },
        { signal: 'SIGQUIT', waitMs: 5_000 },
        { signal: 'SIGKILL', waitMs: 2_000 },
      ],
      async () => !(await isServerOn(data, pid)),
    )
    if (!isGone)
      throw new SwitchyardError(
        'database_unavailable',
        `an earlier PostgreSQL (process ${pid}) on ${data} does not stop`,
        {
          hint: `Look at what process ${pid} is doing and end it.`,
        },
      )
  }
  // PostgreSQL's own lock on shared memory, keyed by the directory, still protects against workers that are left.
  await rm(pidFile, { force: true })
}

const isServerOn = async (data: string, pid: number): Promise<boolean> => {
  if (!isAlive(pid)) return false
  const args = await commandLine(pid)
  if (path.basename(args[0] ?? '') !== 'postgres') return false
  // The server works in its data directory; where the system does not show that, its arguments name it.
  const directory = await workingDirectory(pid)
  return directory === undefined ? args.join(' ').includes(`-D ${data} `) : directory === data
}
