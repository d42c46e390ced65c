// A separate process for tests: tries to lock the home given as argument, prints the outcome, and holds the lock while stdin is open.

import { SwitchyardError } from '@switchyard/contracts'
import { lockHome } from './home-lock.ts'

try {
  await lockHome(process.argv[2] ?? '')
  process.stdout.write('locked\n')
} catch (error) {
  process.stdout.write(`${error instanceof SwitchyardError ? error.code : String(error)}\n`)
}
process.stdin.resume()
