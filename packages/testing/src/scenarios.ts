// Scripts of whole tasks, for the demo, the benchmarks and end-to-end tests.

import { type ScriptStep, script } from './script.ts'

/** Files of a repository with a bug and the test that fails because of it. */
export const FAILING_REPOSITORY = {
  'package.json': `${JSON.stringify({ name: 'sum', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'sum.js': 'export const sum = (a, b) => a - b\n',
  'sum.test.js': [
    "import assert from 'node:assert/strict'",
    "import { test } from 'node:test'",
    "import { sum } from './sum.js'",
    '',
    "test('adds two numbers', () => {",
    '  assert.equal(sum(2, 3), 5)',
    '})',
    '',
  ].join('\n'),
} as const

/** Reads the code, runs the failing test, fixes the bug, runs the test again, and reports it. */
export const fixFailingTestSteps: readonly ScriptStep[] = [
  {
    say: 'I will look at the code and its test first.',
    tools: [
      { tool: 'read', args: { filePath: '{{directory}}/sum.js' } },
      { tool: 'read', args: { filePath: '{{directory}}/sum.test.js' } },
    ],
  },
  { tool: 'bash', args: { command: 'node --test', description: 'Run the tests' } },
  {
    say: '`sum` subtracts. I will make it add.',
    tool: 'edit',
    args: { filePath: '{{directory}}/sum.js', oldString: 'a - b', newString: 'a + b' },
  },
  { tool: 'bash', args: { command: 'node --test', description: 'Run the tests again' } },
  { say: 'The test failed because `sum` subtracted its arguments. It adds them now, and the test passes.' },
]

/** Returns the steps above as text to append to a task's description. */
export const fixFailingTestScript = (): string => script(fixFailingTestSteps)
