// Every test of the repository, by what it needs. `npm run test:unit` runs `unit` alone; `npm test` runs all of them.
//
// | project     | files                          | needs                                            |
// | ----------- | ------------------------------ | ------------------------------------------------ |
// | unit        | `*.test.ts` beside the code    | nothing but git                                  |
// | services    | `*.services.test.ts` beside it | PostgreSQL, OpenCode, sshd or Synapse            |
// | integration | `test/integration`             | the whole system; some files need a Docker engine |
// | conformance | `test/conformance`             | the whole system                                 |
// | compose     | `test/compose`                 | a Docker engine with Compose                     |
// | chaos       | `test/chaos`                   | a Docker engine                                  |
//
// PostgreSQL and OpenCode come from npm packages. A test that needs a Docker engine is skipped where there is none.

import { defineConfig } from 'vitest/config'
import { skippedReporter } from './test/reporters/skipped.ts'
import { slowestReporter } from './test/reporters/slowest.ts'
import { LongestFirst } from './test/setup/longest-first.ts'

/** The file that CI wants the results in, as JSON. */
const report = process.env.CI_REPORT

const json = (outputFile: string): ['json', { outputFile: string }] => ['json', { outputFile }]

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** How long `expect.poll` retries: a condition that becomes true late on a busy machine is not a failure. */
const expectOptions = { poll: { timeout: 20 * SECOND } }

/** Files that run at a time where each starts a system of its own. */
const SYSTEMS_AT_ONCE = 2
/** The same, where a system is a set of containers. */
const STACKS_AT_ONCE = 2

const POSTGRES = 'test/setup/postgres.ts'
const SERVICES_TESTS = '**/*.services.test.ts'

export default defineConfig({
  test: {
    retry: 0,
    reporters: ['default', skippedReporter, slowestReporter, ...(report ? [json(report)] : [])],
    teardownTimeout: 30 * SECOND,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          expect: expectOptions,
          include: [
            'packages/*/src/**/*.test.ts',
            'services/*/src/**/*.test.ts',
            'test/{reporters,imports,settings,words}/**/*.test.ts',
          ],
          exclude: [SERVICES_TESTS],
          testTimeout: 30 * SECOND,
          hookTimeout: MINUTE,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'services',
          expect: expectOptions,
          include: ['packages', 'services'].map((root) => `${root}/*/src/${SERVICES_TESTS}`),
          globalSetup: [POSTGRES],
          testTimeout: 30 * SECOND,
          hookTimeout: MINUTE,
          maxWorkers: SYSTEMS_AT_ONCE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'integration',
          expect: expectOptions,
          include: ['test/integration/**/*.test.ts'],
          globalSetup: [POSTGRES],
          testTimeout: MINUTE,
          hookTimeout: 2 * MINUTE,
          maxWorkers: SYSTEMS_AT_ONCE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'conformance',
          expect: expectOptions,
          include: ['test/conformance/**/*.test.ts'],
          globalSetup: [POSTGRES],
          testTimeout: 3 * MINUTE,
          hookTimeout: 2 * MINUTE,
          maxWorkers: SYSTEMS_AT_ONCE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'compose',
          expect: expectOptions,
          include: ['test/compose/**/*.test.ts'],
          testTimeout: 3 * MINUTE,
          // Includes building the images for the first time.
          hookTimeout: 10 * MINUTE,
          maxWorkers: STACKS_AT_ONCE,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'chaos',
          expect: expectOptions,
          include: ['test/chaos/**/*.test.ts'],
          testTimeout: 5 * MINUTE,
          hookTimeout: 2 * MINUTE,
          maxWorkers: STACKS_AT_ONCE,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
