// What is so now: the clones, the processes that the files name, the ports. Nothing is started, stopped or changed.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { isSwitchyardError } from '@switchyard/contracts'
import { type ForeignState, readForeign } from '@switchyard/git'
import type { LegacyProject, LegacyTree } from './read/tree.ts'

export type Clone =
  | { readonly isReadable: true; readonly state: ForeignState }
  | { readonly isReadable: false; readonly directory: string; readonly why: string }

export type Look = {
  readonly project: LegacyProject
  readonly clone: Clone | null
  /** Its own linked worktrees. */
  readonly worktrees: readonly { readonly name: string; readonly clone: Clone }[]
  /** Processes of the ids in its files that are alive. Whose they are is for a person to say. */
  readonly processes: readonly { readonly pid: number; readonly command: string }[]
  /** Something listens on its port. */
  readonly isPortTaken: boolean
}

const CONNECT_MS = 500

const lookAtClone = async (directory: string): Promise<Clone> => {
  try {
    return { isReadable: true, state: await readForeign(directory) }
  } catch (error) {
    if (!isSwitchyardError(error)) throw error
    return { isReadable: false, directory, why: error.message }
  }
}

/** The program's name alone: arguments may hold passwords. */
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
    const end = (is: boolean) => {
      socket.destroy()
      resolve(is)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })

const lookAtProject = async (project: LegacyProject): Promise<Look> => {
  const clone = project.checkout === null ? null : await lookAtClone(project.checkout)
  const worktrees: { name: string; clone: Clone }[] = []
  for (const { name, directory } of clone?.isReadable ? clone.state.worktrees : [])
    worktrees.push({ name, clone: await lookAtClone(directory) })
  const processes: { pid: number; command: string }[] = []
  for (const pid of project.pids) {
    const command = await commandOf(pid)
    if (command !== null) processes.push({ pid, command })
  }
  const isPortTaken = project.port !== null && (await isListening(project.port))
  return { project, clone, worktrees, processes, isPortTaken }
}

/** One after another: a tree may have a hundred clones. */
export const lookAtTree = async (tree: LegacyTree): Promise<readonly Look[]> => {
  const looks: Look[] = []
  for (const project of tree.projects) looks.push(await lookAtProject(project))
  return looks
}
