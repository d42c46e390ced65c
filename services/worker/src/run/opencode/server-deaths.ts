// What the deaths of its server mean for a task: after the second it runs alone, and after one while it
// runs alone it has killed the server.

import type { TaskRow } from '@switchyard/records'

/** Deaths of its server at which a task was running, until it runs alone. */
const DEATHS_UNTIL_ALONE = 2

export type DeathOutcome = 'resume' | 'run_alone' | 'server_killed'

/**
 * Decides what becomes of an interrupted turn.
 *
 * @param deaths - deaths of the server under the task, with the one that interrupted the turn
 * @param isDeath - whether a death of the server interrupted the turn
 */
export const outcomeOfInterruption = (
  { alone_since }: Pick<TaskRow, 'alone_since'>,
  deaths: number,
  isDeath: boolean,
): DeathOutcome => {
  if (alone_since !== null) return isDeath ? 'server_killed' : 'resume'
  return mustRunAlone(deaths) ? 'run_alone' : 'resume'
}

export const mustRunAlone = (deaths: number): boolean => deaths >= DEATHS_UNTIL_ALONE
