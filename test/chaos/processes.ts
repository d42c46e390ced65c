// What runs on this machine that this run started: found by a mark in its environment.

import { readdir, readFile } from 'node:fs/promises'

/** Every process that a run starts, and all that those start, carry this variable with the run's id. */
export const MARK = 'SWITCHYARD_CHAOS_RUN'

const environmentOf = async (pid: string): Promise<readonly string[]> =>
  (await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')).split('\0')

export type Found = { readonly pid: number; readonly command: string }

/** Living processes of the run. Only Linux shows another process's environment; elsewhere the list is empty. */
export const markedProcesses = async (runId: string): Promise<readonly Found[]> => {
  if (process.platform !== 'linux') return []
  const found: Found[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid || !(await environmentOf(pid)).includes(`${MARK}=${runId}`)) continue
    const command = (await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')).replaceAll('\0', ' ').trim()
    found.push({ pid: Number(pid), command: command.slice(0, 200) })
  }
  return found
}

/** The pids directly below this one. */
export const childrenOf = async (pid: number): Promise<readonly number[]> => {
  const children: number[] = []
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid) children.push(Number(name))
  }
  return children
}

/** @returns false where the process is gone already. */
export const signal = (pid: number, name: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}
