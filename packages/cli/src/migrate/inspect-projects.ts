// Inspects what the older manager's files refer to: clones, processes and ports. Read-only.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { isSwitchyardError } from '@switchyard/contracts'
import { type ForeignState, readForeign } from '@switchyard/git'
import type { LegacyProject, LegacyTree } from './read/legacy-tree.ts'

export type InspectedClone =
  | { readonly isReadable: true; readonly state: ForeignState }
  | { readonly isReadable: false; readonly directory: string; readonly why: string }

export type InspectedProject = {
  readonly project: LegacyProject
  readonly clone: InspectedClone | null
  /** The linked worktrees of the clone. */
  readonly worktrees: readonly { readonly name: string; readonly clone: InspectedClone }[]
  /**
   * Live processes with the ids in the project's files. An id may belong to another program by now.
   */
  readonly processes: readonly { readonly pid: number; readonly command: string }[]
  /** Whether a process listens on the project's port. */
  readonly isPortInUse: boolean
}

const CONNECT_MS = 500

const inspectClone = async (directory: string): Promise<InspectedClone> => {
  try {
    return { isReadable: true, state: await readForeign(directory) }
  } catch (error) {
    if (!isSwitchyardError(error)) throw error
    return { isReadable: false, directory, why: error.message }
  }
}

/**
 * Returns the program's name without arguments, which may contain passwords. Null if no such
 * process runs.
 */
const commandOf = async (pid: number): Promise<string | null> => {
  const text = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => null)
  if (text !== null) return text.trim()
  if (process.platform === 'linux') return null
  return await promisify(execFile)('ps', ['-p', String(pid), '-o', 'comm=']).then(
    ({ stdout }) => path.basename(stdout.trim()) || null,
    () => null,
  )
}

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: CONNECT_MS })
    const finish = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => finish(true))
    socket.once('timeout', () => finish(false))
    socket.once('error', () => finish(false))
  })

const inspectProject = async (project: LegacyProject): Promise<InspectedProject> => {
  const clone = project.checkout === null ? null : await inspectClone(project.checkout)
  const worktrees: { name: string; clone: InspectedClone }[] = []
  for (const { name, directory } of clone?.isReadable ? clone.state.worktrees : [])
    worktrees.push({ name, clone: await inspectClone(directory) })
  const processes: { pid: number; command: string }[] = []
  for (const pid of project.pids) {
    const command = await commandOf(pid)
    if (command !== null) processes.push({ pid, command })
  }
  const isPortInUse = project.port !== null && (await isListening(project.port))
  return { project, clone, worktrees, processes, isPortInUse }
}

/** Inspects every project of a tree, one at a time: a tree may have a hundred clones. */
export const inspectProjects = async (tree: LegacyTree): Promise<readonly InspectedProject[]> => {
  const inspected: InspectedProject[] = []
  for (const project of tree.projects) inspected.push(await inspectProject(project))
  return inspected
}
