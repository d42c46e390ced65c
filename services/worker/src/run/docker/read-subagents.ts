// What subagents did, read from OpenCode's data by a container of its own once the agent's has ended: an agent could write there,
// so that nothing but a sandbox opens it.

import { isSwitchyardError } from '@switchyard/contracts'
import { SUBAGENTS, type Turn } from '@switchyard/docker'
import { SubagentTranscript } from '@switchyard/opencode'
import type { RunContext } from '../execution.ts'
import type { Findings } from '../verdict.ts'

/** Of a query that takes about a second. */
const READ_MS = 60_000
/** More than this is left unread, bytes. */
const MOST_BYTES = 64 * 1_048_576

/**
 * Tells what they did as events and gives their messages. What cannot be read is logged and left out: the task is done all the same.
 *
 * @param turn - any of the task's.
 * @throws Interrupted
 */
export const readSubagents = async (run: RunContext, turn: Turn): Promise<Findings['children']> => {
  const { deps, record, interrupt } = run
  const transcript = new SubagentTranscript(turn.directory)
  const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(READ_MS)])
  try {
    const id = await deps.runner.start({ ...turn, promptId: SUBAGENTS, args: [] })
    let size = 0
    // A log may end before its container does: only what is read after that is all of it.
    for (let isOver = false; !isOver && !signal.aborted && size < MOST_BYTES && !transcript.isFull; ) {
      isOver = (await deps.runner.state(id)).status === 'ended'
      for await (const line of deps.runner.output(id, { follow: true, store: async () => undefined, signal })) {
        const events = line.from === 'stdout' ? transcript.take(line.text) : undefined
        if (events === undefined) continue
        size += line.text.length
        if (size > MOST_BYTES || transcript.isFull) break
        await record.append(events)
      }
    }
    await deps.runner.remove(id)
  } catch (error) {
    interrupt.check()
    if (isSwitchyardError(error, 'stale_owner')) throw error
    deps.logger.warn({ task_id: record.row.id, err: error }, 'what subagents did was not read')
  }
  interrupt.check()
  return transcript.sessions
}
