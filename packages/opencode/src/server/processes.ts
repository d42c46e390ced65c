// What runs on this machine that is provably ours: found by a marker in the environment, ended without asking.

import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Children of a server carry this variable, its own tools included: they inherit the server's environment. */
export const MARKER = 'SWITCHYARD_SERVER_ID'

export type ProcessInfo = {
  readonly pid: number
  readonly parent: number
  /** Tells a process from a later one with the same pid: clock ticks since boot on Linux, a date elsewhere. */
  readonly startedAt: string
}

const isLinux = process.platform === 'linux'

/** Every process that can be seen; zombies are left out, since nothing can or need be done to them. */
const processTable = async (): Promise<readonly ProcessInfo[]> => {
  if (!isLinux) return processTableOfPs()
  const names = await readdir('/proc')
  const found = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => processInfo(Number(name))))
  return found.filter((info) => info !== undefined)
}

const processTableOfPs = async (): Promise<readonly ProcessInfo[]> => {
  const { stdout } = await run('ps', ['-axo', 'pid=,ppid=,lstart='], { timeout: 5_000 })
  return stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(.+?)\s*$/.exec(line)
    return match ? [{ pid: Number(match[1]), parent: Number(match[2]), startedAt: match[3] ?? '' }] : []
  })
}

/** The process with this pid, or undefined where there is none (any more). */
export const processInfo = async (pid: number): Promise<ProcessInfo | undefined> => {
  if (!isLinux) return (await processTableOfPs()).find((info) => info.pid === pid)
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  // The command name is in parentheses and may hold anything, so the fields are counted from the last one.
  const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (state === 'Z' || state === 'X') return undefined
  return { pid, parent: Number(parent), startedAt: rest[17] ?? '' }
}

/** The processes below `root`, nearest first. Those that were re-parented away are not among them. */
export const descendants = async (root: number): Promise<readonly ProcessInfo[]> => {
  const table = await processTable()
  const below = (pid: number): ProcessInfo[] =>
    table.filter((info) => info.parent === pid).flatMap((info) => [info, ...below(info.pid)])
  return below(root)
}

/** Bytes of memory that a process and everything below it hold. Pages that they share are counted for each. */
export const residentBytes = async (root: number): Promise<number | undefined> => {
  const pids = [root, ...(await descendants(root)).map(({ pid }) => pid)]
  const each = await (isLinux ? Promise.all(pids.map(residentOfProc)) : residentOfPs(pids))
  return each[0] === undefined ? undefined : each.reduce<number>((sum, kibibytes) => sum + (kibibytes ?? 0), 0) * 1_024
}

const residentOfProc = async (pid: number): Promise<number | undefined> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status)
  return match ? Number(match[1]) : undefined
}

const residentOfPs = async (pids: readonly number[]): Promise<readonly (number | undefined)[]> => {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', pids.join(',')], { timeout: 5_000 })
  return stdout.split('\n').flatMap((line) => (line.trim() === '' ? [] : [Number(line)]))
}

/** The processes that carry the marker with this value. Only Linux shows another process's environment. */
export const marked = async (id: string): Promise<readonly ProcessInfo[]> => {
  if (!isLinux) return []
  const table = await processTable()
  const hits = await Promise.all(table.map(async (info) => ((await carriesMarker(info.pid, id)) ? info : undefined)))
  return hits.filter((info) => info !== undefined)
}

const carriesMarker = async (pid: number, id: string): Promise<boolean> => {
  const environ = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
  return environ.split('\0').includes(`${MARKER}=${id}`)
}

const isSame = async (info: ProcessInfo): Promise<boolean> =>
  (await processInfo(info.pid))?.startedAt === info.startedAt

/**
 * Kills what a server left behind: everything that carries its marker, and `known` (seen below it while it lived).
 * Looks again until nothing is found, because a process may fork between the look and the kill.
 *
 * @returns how many processes were killed.
 */
export const sweep = async (id: string, known: readonly ProcessInfo[] = []): Promise<number> => {
  const killed = new Set<string>()
  for (let round = 0; round < 20; round += 1) {
    const left = [...(await marked(id)), ...(await living(known))].filter((info) => info.pid !== process.pid)
    if (left.length === 0) break
    for (const info of left) {
      if (!(await isSame(info))) continue
      kill(info.pid, 'SIGKILL')
      killed.add(`${info.pid}/${info.startedAt}`)
    }
    await delay(25)
  }
  return killed.size
}

const living = async (known: readonly ProcessInfo[]): Promise<readonly ProcessInfo[]> => {
  const alive = await Promise.all(known.map(async (info) => ((await isSame(info)) ? info : undefined)))
  return alive.filter((info) => info !== undefined)
}

/** @returns false where the process is gone already. */
export const kill = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
