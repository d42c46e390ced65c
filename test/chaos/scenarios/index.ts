// All scenarios, in the order of a full run.

import type { Scenario } from '../scenario.ts'
import { apiRestart } from './api-restart.ts'
import { askRestart } from './ask-restart.ts'
import { cancelAnyState } from './cancel-any-state.ts'
import { deployWorkers } from './deploy-workers.ts'
import { notifierKill } from './notifier-kill.ts'
import { opencodeBusy } from './opencode-busy.ts'
import { opencodeKill } from './opencode-kill.ts'
import { opencodeOutage } from './opencode-outage.ts'
import { opencodeSilent } from './opencode-silent.ts'
import { storeUnreachable } from './store-unreachable-at-start.ts'
import { postgresPause, postgresRestart, valkeyFlush, valkeyPause, valkeyRestart } from './stores.ts'
import { streamDownstream } from './stream-downstream.ts'
import { streamUpstream } from './stream-upstream.ts'
import { workerKill } from './worker-kill.ts'
import { workerStop } from './worker-stop.ts'

export const SCENARIOS: readonly Scenario[] = [
  workerKill,
  workerStop,
  opencodeKill,
  opencodeOutage,
  opencodeSilent,
  opencodeBusy,
  streamUpstream,
  streamDownstream,
  postgresRestart,
  postgresPause,
  valkeyRestart,
  valkeyPause,
  valkeyFlush,
  storeUnreachable,
  deployWorkers,
  apiRestart,
  cancelAnyState,
  askRestart,
  notifierKill,
]
