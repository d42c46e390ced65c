// A separate process for tests: starts a shell script, guards it, prints its pid, and ends the guard when stdin ends.

import { spawn } from 'node:child_process'
import { guardProcess } from './guard.ts'

const child = spawn('/bin/sh', ['-c', process.argv[2] ?? ''], { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
const guard = guardProcess(child.pid ?? 0, 'TERM', 1)
// The script prints a line when its traps are set.
child.stdout.once('data', () => process.stdout.write(`${child.pid}\n`))
process.stdin.once('end', () => {
  guard.close()
  process.exit(0)
})
process.stdin.resume()
