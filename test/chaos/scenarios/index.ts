// Every scenario, in the order in which a whole run plays them.

import type { Scenario } from '../scenario.ts'
import { opencodeKill } from './opencode-kill.ts'
import { streamDownstream } from './stream-downstream.ts'
import { workerKill } from './worker-kill.ts'

export const SCENARIOS: readonly Scenario[] = [workerKill, opencodeKill, streamDownstream]
