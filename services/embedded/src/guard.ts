// Stops a child process when Node is killed and cannot do it itself.
//
// A shell reads from a pipe that Node holds open. When Node dies, the pipe closes and the shell signals
// the process; a line on the pipe means that the process was stopped properly. This costs one sleeping
// process and no polling.

import { spawn } from 'node:child_process'

const SCRIPT = 'read line || kill -"$2" "$1"'

export type Guard = {
  /** Ends the guard without a signal to the process. */
  close(): void
}

/**
 * Starts a guard for a process.
 *
 * @param signal - the signal on which the process shuts down cleanly.
 */
export const guardProcess = (pid: number, signal: 'INT' | 'TERM'): Guard => {
  // Its own process group: Ctrl-C in the terminal must not reach it before Node is done.
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'switchyard-guard', String(pid), signal], {
    cwd: '/',
    env: {},
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.unref()
  return {
    close() {
      child.stdin.end('done\n')
    },
  }
}
