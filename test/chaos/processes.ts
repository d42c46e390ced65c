// Finds the processes that a run started, by a variable in their environment.

import { readdir, readFile } from 'node:fs/promises'

/** Environment variable with the run's id, which every process of the run inherits. */
export const MARK = 'SWITCHYARD_CHAOS_RUN'

const environmentOf = async (pid: string): Promise<readonly string[]> =>
  (await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')).split('\0')

export type Found = { readonly pid: number; readonly command: string }

/**
 * Returns the running processes of a run. Empty except on Linux, which alone shows another
 * process's environment.
 */
export const findProcesses = async (runId: string): Promise<readonly Found[]> => {
  if (process.platform !== 'linux') return []
  const found: Found[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid || !(await environmentOf(pid)).includes(`${MARK}=${runId}`)) continue
    const command = (await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')).replaceAll('\0', ' ').trim()
    found.push({ pid: Number(pid), command: command.slice(0, 200) })
  }
  return found
}

/** Returns the pids of the direct children of a process. */
export const childrenOf = async (pid: number): Promise<readonly number[]> => {
  const children: number[] = []
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid) children.push(Number(name))
  }
  return children
}

/** Sends a signal. Returns false if the process does not exist. */
export const signal = (pid: number, name: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}
