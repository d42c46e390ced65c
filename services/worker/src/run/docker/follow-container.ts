// Reads one container to its end: its lines become the record's events.

import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import type { OutputLine } from '@switchyard/docker'
import type { RunTranscript } from '@switchyard/opencode'
import type { RunContext } from '../execution.ts'
import { judge, type Verdict } from './container-outcome.ts'
import { LogWords } from './opencode-log.ts'
import { OutputFile } from './output-file.ts'
import type { Patience } from './retry-while-unavailable.ts'
import { Watchdog } from './watchdog.ts'

export type Read = { readonly verdict: Verdict; readonly exitCode: number }

/** Of a container that somebody has removed. */
export const GONE: Read = { verdict: { kind: 'interrupted', how: 'it was removed' }, exitCode: 137 }

export type FollowOptions = {
  readonly run: RunContext
  readonly transcript: RunTranscript
  readonly patience: Patience
  /** The task's directory; its size is looked after, together with that of what the containers have printed. */
  readonly root: string
  /** OpenCode works on the prompt: its session has it. */
  readonly heard: (promptId: string) => Promise<void>
}

export class Follower {
  readonly #options: FollowOptions

  constructor(options: FollowOptions) {
    this.#options = options
  }

  /**
   * Follows a container until it ends.
   *
   * @throws Interrupted; SwitchyardError `container_silent`, `container_disk_full`, `agent_not_found`
   */
  async untilEnd(id: string, promptId: string): Promise<Read> {
    const { run, patience, root } = this.#options
    const { deps, record, interrupt } = run
    const words = new LogWords()
    const directories = [root, deps.layout.output(record.row.id)]
    const watchdog = new Watchdog({ directories, diskBytes: deps.diskBytes, silentMs: deps.stuckMs, interrupt })
    const signal = AbortSignal.any([interrupt.signal, watchdog.signal])
    try {
      for (;;) {
        const state = await patience.forEngine(() => deps.runner.state(id))
        if (state.status === 'created') return GONE
        if (state.status === 'paused') await patience.forEngine(() => deps.runner.unpause(id))
        await patience.forEngine(() => this.#read(id, promptId, words, { follow: true, signal }, watchdog))
        interrupt.check()
        watchdog.signal.throwIfAborted()
        // An engine that goes away ends the stream as the container's own end does: only what is read after that is all of it.
        if (state.status !== 'ended') continue
        return { verdict: judge(state, this.#options.transcript.messagesOf(promptId), words), exitCode: state.exitCode }
      }
    } catch (error) {
      if (isSwitchyardError(error, 'container_gone')) return GONE
      throw error
    } finally {
      watchdog.close()
    }
  }

  /** What a container has printed so far. */
  async catchUp(id: string, promptId: string, signal: AbortSignal): Promise<void> {
    await this.#read(id, promptId, new LogWords(), { follow: false, signal })
  }

  async #read(
    id: string,
    promptId: string,
    words: LogWords,
    how: { readonly follow: boolean; readonly signal: AbortSignal },
    watchdog?: Watchdog,
  ): Promise<void> {
    const { deps, record } = this.#options.run
    const file = await OutputFile.open(deps.layout.output(record.row.id), promptId)
    try {
      for await (const line of deps.runner.output(id, { ...how, store: (data) => file.keep(data) }))
        await this.#take(line, promptId, words, watchdog)
    } finally {
      await file.close()
    }
  }

  async #take(line: OutputLine, promptId: string, words: LogWords, watchdog: Watchdog | undefined): Promise<void> {
    const { transcript, run, heard } = this.#options
    const { record } = run
    if (line.from === 'stderr') {
      words.take(line.text)
      if (words.model !== null) {
        transcript.setModel(words.model)
        // It asks the model for an answer to what it has written down.
        await heard(promptId)
      }
      if (words.missingAgent !== null)
        throw new SwitchyardError('agent_not_found', `OpenCode has no agent named ${words.missingAgent}`)
      return
    }
    const events = transcript.take(line.text, promptId)
    if (events === undefined) return
    watchdog?.seen()
    await heard(promptId)
    if (record.row.session_id === null && transcript.sessionId !== null)
      await record.write({ set: { session_id: transcript.sessionId }, events })
    else await record.append(events)
  }
}
