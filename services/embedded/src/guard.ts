// Ends a child process when Node is killed and cannot do it itself.
//
// A shell waits on a pipe that Node holds. Node's death closes it, however it came, and the shell signals the process;
// a line on it means that all is well. It costs one sleeping process and no polling.

import { spawn } from 'node:child_process'

const SCRIPT = 'read line || kill -"$2" "$1"'

export type Guard = { close(): void }

/** @param signal - what asks the process to end cleanly. */
export const guardProcess = (pid: number, signal: 'INT' | 'TERM'): Guard => {
  // A group of its own: Ctrl-C in the terminal must not reach it before Node is done.
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
