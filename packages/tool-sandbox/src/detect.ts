// Finds out at run time whether commands can run in a sandbox on this machine.

import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** How long the trial may take, ms. */
const TRIAL_MS = 10_000

/** Namespaces of their own, no capabilities, and no way to outlive the caller. The network is shared. */
const NAMESPACES = [
  '--unshare-user',
  '--unshare-pid',
  '--unshare-ipc',
  '--unshare-uts',
  '--unshare-cgroup-try',
  '--die-with-parent',
  '--new-session',
  '--cap-drop',
  'ALL',
  '--clearenv',
] as const

/**
 * Ways to show /proc. The second is for containers whose engine hides parts of /proc, where the kernel refuses a new one. The
 * processes outside are listed there, but only their names can be read.
 */
const PROC = [
  ['--proc', '/proc'],
  ['--ro-bind', '/proc', '/proc'],
] as const

export type SandboxSupport =
  | { readonly isAvailable: true; readonly command: readonly string[] }
  | { readonly isAvailable: false; readonly reason: string }

/** Tries to run a command in a sandbox. @param search - PATH, where `bwrap` is looked up */
export const detectSandbox = async (search: string): Promise<SandboxSupport> => {
  if (process.platform !== 'linux') return unavailable(`sandboxes need Linux, and this is ${process.platform}`)
  const bwrap = findExecutable('bwrap', search)
  if (bwrap === undefined) return unavailable('bwrap is not installed (package bubblewrap)')
  let reason = ''
  for (const proc of PROC) {
    const command = [bwrap, ...NAMESPACES, ...proc, '--dev', '/dev']
    try {
      const [file = bwrap, ...args] = [...command, '--ro-bind', '/', '/', '--', '/bin/sh', '-c', ':']
      await run(file, args, { timeout: TRIAL_MS })
      return { isAvailable: true, command }
    } catch (error) {
      reason = error instanceof Error ? (error.message.split('\n')[1] ?? error.message) : String(error)
    }
  }
  return unavailable(`this kernel or container does not permit user namespaces (${reason.trim()})`)
}

const unavailable = (reason: string): SandboxSupport => ({ isAvailable: false, reason })

export const findExecutable = (name: string, search: string): string | undefined =>
  search
    .split(path.delimiter)
    .map((directory) => path.join(directory, name))
    .find((file) => path.isAbsolute(file) && isExecutable(file))

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
