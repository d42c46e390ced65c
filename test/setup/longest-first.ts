// Orders the test files of a run: the longest start first, so that no worker is left alone with one at the end.

import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take much longer than their size suggests, the longest first. */
const LONGEST: readonly string[] = [
  'chaos/chaos.test.ts',
  'compose/stack.test.ts',
  'compose/rollout.test.ts',
  'integration/docker-mode.test.ts',
  'integration/servers.test.ts',
  'integration/server-deaths.test.ts',
  'integration/session-servers.test.ts',
  'integration/docker-survival.test.ts',
  'integration/tool-sandbox.test.ts',
  'integration/tasks.test.ts',
  'integration/docker-failures.test.ts',
  'src/servers/server-pool.services.test.ts',
  'src/opencode-server.services.test.ts',
  'integration/care.test.ts',
  'src/letta.services.test.ts',
  'embedded/src/main.services.test.ts',
]

const rankOf = ({ moduleId }: TestSpecification): number => {
  const rank = LONGEST.findIndex((name) => moduleId.endsWith(name))
  return rank === -1 ? LONGEST.length : rank
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const bySize = await super.sort(files)
    return bySize.toSorted((a, b) => groupOf(a) - groupOf(b) || rankOf(a) - rankOf(b))
  }
}

const groupOf = ({ project }: TestSpecification): number => project.config.sequence.groupOrder
