// Runs the node tests of a directory and says how it went.

import { execFile } from 'node:child_process'

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
