// Runs the Node.js tests of a directory.

import { execFile } from 'node:child_process'

/** Runs the tests. Returns whether they passed, and at most 20 lines of their results. */
export const runTests = (directory: string): Promise<{ readonly passed: boolean; readonly output: string }> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--test', '--test-reporter=spec'],
      { cwd: directory, timeout: 60_000, env: { PATH: process.env.PATH, NO_COLOR: '1' } },
      (error, stdout, stderr) => {
        const lines = `${stdout}${stderr}`
          .split('\n')
          .filter((line) => /^[✔✖▶]|^ℹ (tests|pass|fail) /.test(line.trim()))
        resolve({ passed: error === null, output: lines.slice(0, 20).join('\n') })
      },
    )
  })
