// Stops a child process when Node is killed and cannot do it itself.
//
// A shell reads from a pipe that Node holds open. When Node dies, the pipe closes and the shell signals
// the process, and kills it if it does not exit in time. A line on the pipe means that the process was
// stopped properly. This costs one sleeping process and no polling.

import { spawn } from 'node:child_process'

const SCRIPT = [
  'read line && exit',
  'kill -"$2" "$1"',
  's=0; while [ "$s" -lt "$3" ]; do sleep 1; kill -0 "$1" || exit; s=$((s + 1)); done',
  'kill -KILL "$1"',
].join('\n')

const KILL_AFTER_S = 30

export type Guard = {
  /** Ends the guard without a signal to the process. */
  close(): void
}

/**
 * Starts a guard for a process.
 *
 * @param signal - the signal on which the process shuts down cleanly.
 * @param killAfterS - seconds until SIGKILL follows.
 */
export const guardProcess = (pid: number, signal: 'INT' | 'TERM', killAfterS = KILL_AFTER_S): Guard => {
  const args = ['switchyard-guard', String(pid), signal, String(killAfterS)]
  // Its own process group: Ctrl-C in the terminal must not reach it before Node is done.
  const child = spawn('/bin/sh', ['-c', SCRIPT, ...args], {
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
