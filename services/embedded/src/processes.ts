// Looking at and ending processes by pid, on Linux and macOS.

import { execFile } from 'node:child_process'
import { readFile, readlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { systemErrorCode } from '@switchyard/contracts'

const run = promisify(execFile)
const POLL_MS = 20

/** Whether a process with that pid exists, whoever owns it. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemErrorCode(error) === 'EPERM'
  }
}

/** The arguments of a process, or none where it is gone (or a zombie, which holds nothing). */
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

/** The working directory of a process; undefined where the system does not tell. */
export const workingDirectory = async (pid: number): Promise<string | undefined> => {
  try {
    return await readlink(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/**
 * Sends the signals one after the other until `isGone`, giving each its time.
 *
 * @returns whether the process is gone.
 */
export const endProcess = async (
  pid: number,
  steps: ReadonlyArray<{ readonly signal: NodeJS.Signals; readonly waitMs: number }>,
  isGone: () => boolean | Promise<boolean>,
): Promise<boolean> => {
  for (const { signal, waitMs } of steps) {
    try {
      process.kill(pid, signal)
    } catch {
      // Gone between the look and the signal; the wait below sees it.
    }
    const deadline = Date.now() + waitMs
    while (Date.now() < deadline) {
      if (await isGone()) return true
      await sleep(POLL_MS)
    }
  }
  return isGone()
}
