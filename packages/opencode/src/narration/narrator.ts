// Tells each thing once and in its order, whatever order the states of a part arrive in.

import type { Message, Part } from '@opencode-ai/sdk/v2'
import type { NewEvent } from '@switchyard/contracts'
import { type NarrationContext, narratePart } from './part.ts'

/**
 * Remembers what one run of a task has told. After a reconnect the state that is fetched is ahead of events that still
 * wait in the stream: a late `running` of a tool that has ended is not told any more.
 *
 * The record's own rule (a `source_key` is written once) stays what guarantees "once"; this saves the writes.
 */
export class Narrator {
  readonly #told = new Set<string>()
  readonly #ended = new Set<string>()

  /** The events of this state that were not told yet. */
  narrate(part: Part, message: Message, context: NarrationContext): readonly NewEvent[] {
    if (part.type === 'tool') {
      if (part.state.status === 'completed' || part.state.status === 'error') this.#ended.add(part.id)
      else if (this.#ended.has(part.id)) return []
    }
    return narratePart(part, message, context).filter(({ source_key: key }) => {
      if (key === undefined || this.#told.has(key)) return key === undefined
      this.#told.add(key)
      return true
    })
  }
}
