// Every test of the repository, as four projects: `vitest run --project unit`, and so on. `npm test` runs them all.
// Real servers are behind most of them, so few files run at a time and the heavy ones run one after another.

import { defineConfig } from 'vitest/config'
import { skippedReporter } from './test/reporters/skipped.ts'

/** Where CI wants the results as JSON. */
const report = process.env.CI_REPORT

const json = (outputFile: string): ['json', { outputFile: string }] => ['json', { outputFile }]

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** How long `expect.poll` looks again: a condition that comes late on a busy machine is not a failure. */
const patience = { poll: { timeout: 20 * SECOND } }

export default defineConfig({
  test: {
    retry: 0,
    reporters: ['default', skippedReporter, ...(report ? [json(report)] : [])],
    teardownTimeout: 30 * SECOND,
    globalSetup: ['test/setup/postgres.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          expect: patience,
          include: [
            'packages/*/src/**/*.test.ts',
            'services/*/src/**/*.test.ts',
            'test/reporters/**/*.test.ts',
            'test/imports/**/*.test.ts',
            'test/words/**/*.test.ts',
          ],
          testTimeout: 30 * SECOND,
          hookTimeout: MINUTE,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          expect: patience,
          include: ['test/integration/**/*.test.ts'],
          testTimeout: MINUTE,
          hookTimeout: 2 * MINUTE,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'conformance',
          expect: patience,
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 3 * MINUTE,
          hookTimeout: 2 * MINUTE,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'compose',
          expect: patience,
          include: ['test/compose/**/*.test.ts'],
          testTimeout: 3 * MINUTE,
          // Building the images for the first time is part of it.
          hookTimeout: 10 * MINUTE,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'chaos',
          expect: patience,
          include: ['test/chaos/**/*.test.ts'],
          testTimeout: 5 * MINUTE,
          hookTimeout: 2 * MINUTE,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
})
