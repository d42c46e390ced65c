// Inspects and stops processes by pid, on Linux and macOS.

import { execFile } from 'node:child_process'
import { readFile, readlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { systemErrorCode } from '@switchyard/contracts'

const run = promisify(execFile)
const POLL_MS = 20

/** Returns whether a process with this pid exists, whichever user owns it. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemErrorCode(error) === 'EPERM'
  }
}

/** Returns the arguments of a process; none if it does not exist or is a zombie. */
export const commandLine = async (pid: number): Promise<readonly string[]> => {
  try {
    if (process.platform === 'linux')
      return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').filter((part) => part !== '')
    const { stdout } = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)])
    return stdout.trim() === '' ? [] : stdout.trim().split(' ')
  } catch {
    return []
  }
}

/** Returns the working directory of a process; undefined if the system does not show it. */
export const workingDirectory = async (pid: number): Promise<string | undefined> => {
  try {
    return await readlink(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/**
 * Sends the signals one after another until the process has exited, and waits after each one.
 *
 * @returns whether the process has exited.
 */
export const stopProcess = async (
  pid: number,
  steps: ReadonlyArray<{ readonly signal: NodeJS.Signals; readonly waitMs: number }>,
  hasExited: () => boolean | Promise<boolean>,
): Promise<boolean> => {
  for (const { signal, waitMs } of steps) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has exited already; the check below notices.
    }
    const deadline = Date.now() + waitMs
    while (Date.now() < deadline) {
      if (await hasExited()) return true
      await sleep(POLL_MS)
    }
  }
  return hasExited()
}
