// A process of its own for the tests: tries to take the home given as argument, says how it went, and keeps it while stdin is open.

import { SwitchyardError } from '@switchyard/contracts'
import { lockHome } from './home-lock.ts'

try {
  await lockHome(process.argv[2] ?? '')
  process.stdout.write('won\n')
} catch (error) {
  process.stdout.write(`${error instanceof SwitchyardError ? error.code : String(error)}\n`)
}
process.stdin.resume()
