// Returns each event once and in order, whatever order the states of a part arrive in.

import type { Message, Part } from '@opencode-ai/sdk/v2'
import type { NewEvent } from '@switchyard/contracts'
import { type NarrationContext, narratePart } from './narrate-part.ts'

/**
 * Remembers the events of one run of a task. After a reconnect, the fetched state is ahead of events that are still in the
 * stream: a late `running` of a tool that has ended is dropped.
 *
 * The database guarantees that a `source_key` is written once; this class saves the attempts.
 */
export class Narrator {
  readonly #returned = new Set<string>()
  readonly #ended = new Set<string>()

  /** Returns the events of this state that were not returned before. */
  narrate(part: Part, message: Message, context: NarrationContext): readonly NewEvent[] {
    if (part.type === 'tool') {
      if (part.state.status === 'completed' || part.state.status === 'error') this.#ended.add(part.id)
      else if (this.#ended.has(part.id)) return []
    }
    return narratePart(part, message, context).filter(({ source_key: key }) => {
      if (key === undefined || this.#returned.has(key)) return key === undefined
      this.#returned.add(key)
      return true
    })
  }
}
