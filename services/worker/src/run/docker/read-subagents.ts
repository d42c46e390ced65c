// Reads what subagents did from OpenCode's data, in a container of its own after the agent's has
// ended. The agent could write to that data, so it is opened in a sandbox only.

import { isSwitchyardError } from '@switchyard/contracts'
import { SUBAGENTS, type Turn } from '@switchyard/docker'
import { SubagentTranscript } from '@switchyard/opencode'
import type { RunContext } from '../execution.ts'
import type { Findings } from '../verdict.ts'

/** Limit of a query that takes about a second, ms. */
const READ_TIMEOUT_MS = 60_000
/** The rest of a longer output is not read, bytes. */
const MAX_BYTES = 64 * 1_048_576

/**
 * Records what the subagents did as events, and returns their messages. A failure is logged and
 * does not fail the task.
 *
 * @param turn - any of the task's.
 * @throws Interrupted
 */
export const readSubagents = async (run: RunContext, turn: Turn): Promise<Findings['children']> => {
  const { deps, record, interrupt } = run
  const transcript = new SubagentTranscript(turn.directory)
  const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(READ_TIMEOUT_MS)])
  try {
    const id = await deps.runner.start({ ...turn, promptId: SUBAGENTS, args: [] })
    let size = 0
    // The log can end before the container does: only what is read after the end is complete.
    for (let hasEnded = false; !hasEnded && !signal.aborted && size < MAX_BYTES && !transcript.isFull; ) {
      hasEnded = (await deps.runner.state(id)).status === 'ended'
      for await (const line of deps.runner.output(id, { follow: true, store: async () => undefined, signal })) {
        const events = line.from === 'stdout' ? transcript.addLine(line.text) : undefined
        if (events === undefined) continue
        size += line.text.length
        if (size > MAX_BYTES || transcript.isFull) break
        await record.append(events)
      }
    }
    await deps.runner.remove(id)
  } catch (error) {
    interrupt.check()
    if (isSwitchyardError(error, 'stale_owner')) throw error
    deps.logger.warn({ task_id: record.row.id, err: error }, 'failed to read the subagents of a task')
  }
  interrupt.check()
  return transcript.sessions
}
