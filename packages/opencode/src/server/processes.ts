// Finds and kills the processes that an OpenCode server left behind, identified by a marker in their environment.

import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The variable that marks a server and everything it starts, which inherits the server's environment. */
export const MARKER = 'SWITCHYARD_SERVER_ID'

export type ProcessInfo = {
  readonly pid: number
  readonly parent: number
  /** Distinguishes a process from a later one with the same pid: clock ticks since boot on Linux, a date elsewhere. */
  readonly startedAt: string
}

const isLinux = process.platform === 'linux'

/** Returns all visible processes except zombies. */
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

/** Returns the process with this pid, or undefined when it does not exist. */
export const processInfo = async (pid: number): Promise<ProcessInfo | undefined> => {
  if (!isLinux) return (await processTableOfPs()).find((info) => info.pid === pid)
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  // The command name is in parentheses and may contain anything, so the fields start after the last one.
  const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (state === 'Z' || state === 'X') return undefined
  return { pid, parent: Number(parent), startedAt: rest[17] ?? '' }
}

/** Returns the processes below `root`, nearest first, without those that were re-parented to another process. */
export const descendants = async (root: number): Promise<readonly ProcessInfo[]> => {
  const table = await processTable()
  const below = (pid: number): ProcessInfo[] =>
    table.filter((info) => info.parent === pid).flatMap((info) => [info, ...below(info.pid)])
  return below(root)
}

/** Returns the memory of a process and its descendants in bytes. Shared pages are counted for each process. */
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

/** Returns the processes that carry the marker with this value. Only Linux shows another process's environment. */
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
 * Kills what a server left behind, repeatedly until nothing is found, because a process may fork before it is killed.
 *
 * @param id - the value of the server's marker
 * @param known - processes that were below the server while it ran, to be killed as well
 * @returns how many processes were killed
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

/** Sends a signal. Returns false when the process does not exist. */
export const kill = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
