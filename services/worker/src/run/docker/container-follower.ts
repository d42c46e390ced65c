// Follows one container to its end: its output becomes events of the record.

import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import type { OutputLine } from '@switchyard/docker'
import type { RunTranscript } from '@switchyard/opencode'
import type { RunContext } from '../execution.ts'
import { type ContainerOutcome, judgeContainer } from './container-outcome.ts'
import { OpenCodeLog } from './opencode-log.ts'
import { OutputFile } from './output-file.ts'
import type { Retry } from './retry-while-unavailable.ts'
import { Watchdog } from './watchdog.ts'

export type ContainerEnd = { readonly outcome: ContainerOutcome; readonly exitCode: number }

/** The end of a container that somebody else has removed. */
export const REMOVED = {
  outcome: { kind: 'interrupted', how: 'it was removed' },
  exitCode: 137,
} as const satisfies ContainerEnd

export type ContainerFollowerOptions = {
  readonly run: RunContext
  readonly transcript: RunTranscript
  readonly retry: Retry
  /** The task's directory. Its size and that of the output are limited together. */
  readonly root: string
  /** Called when OpenCode works on a prompt, and so has stored it in its session. */
  readonly onReceived: (promptId: string) => Promise<void>
}

type ReadOptions = {
  readonly log: OpenCodeLog
  readonly follow: boolean
  readonly signal: AbortSignal
  readonly watchdog?: Watchdog
}

export class ContainerFollower {
  readonly #options: ContainerFollowerOptions

  constructor(options: ContainerFollowerOptions) {
    this.#options = options
  }

  /**
   * Resolves when a container has ended and everything that it printed is read.
   *
   * @throws Interrupted; SwitchyardError `container_silent`, `container_disk_full`,
   *   `agent_not_found`
   */
  async untilEnd(id: string, promptId: string): Promise<ContainerEnd> {
    const { run, retry, root, transcript } = this.#options
    const { deps, record, interrupt } = run
    const log = new OpenCodeLog()
    const directories = [root, deps.layout.output(record.row.id)]
    const watchdog = new Watchdog({ directories, diskBytes: deps.diskBytes, silentMs: deps.stuckMs, interrupt })
    const signal = AbortSignal.any([interrupt.signal, watchdog.signal])
    try {
      for (;;) {
        const state = await retry(() => deps.runner.state(id))
        if (state.status === 'created') return REMOVED
        if (state.status === 'paused') await retry(() => deps.runner.unpause(id))
        await retry(() => this.#read(id, promptId, { log, follow: true, signal, watchdog }))
        interrupt.check()
        watchdog.signal.throwIfAborted()
        // The output ends with the container, but also when the engine stops: only what is read
        // after the end is complete.
        if (state.status !== 'ended') continue
        return { outcome: judgeContainer(state, transcript.messagesOf(promptId), log), exitCode: state.exitCode }
      }
    } catch (error) {
      if (isSwitchyardError(error, 'container_gone')) return REMOVED
      throw error
    } finally {
      watchdog.close()
    }
  }

  /** Reads what a container has printed so far. */
  async catchUp(id: string, promptId: string, signal: AbortSignal): Promise<void> {
    await this.#read(id, promptId, { log: new OpenCodeLog(), follow: false, signal })
  }

  async #read(id: string, promptId: string, options: ReadOptions): Promise<void> {
    const { deps, record } = this.#options.run
    const { follow, signal, log, watchdog } = options
    const file = await OutputFile.open(deps.layout.output(record.row.id), promptId)
    try {
      for await (const line of deps.runner.output(id, { follow, signal, store: (data) => file.write(data) })) {
        if (line.from === 'stderr') await this.#readLog(line, promptId, log)
        else await this.#readOutput(line, promptId, watchdog)
      }
    } finally {
      await file.close()
    }
  }

  async #readLog(line: OutputLine, promptId: string, log: OpenCodeLog): Promise<void> {
    const { transcript, onReceived } = this.#options
    log.read(line.text)
    if (log.model !== null) {
      transcript.setModel(log.model)
      // OpenCode stores a prompt before it calls the model.
      await onReceived(promptId)
    }
    if (log.missingAgent !== null)
      throw new SwitchyardError('agent_not_found', `agent "${log.missingAgent}" does not exist`)
  }

  async #readOutput(line: OutputLine, promptId: string, watchdog: Watchdog | undefined): Promise<void> {
    const { transcript, run, onReceived } = this.#options
    const { record } = run
    const events = transcript.addLine(line.text, promptId)
    if (events === undefined) return
    watchdog?.seen()
    await onReceived(promptId)
    if (record.row.session_id === null && transcript.sessionId !== null)
      await record.write({ set: { session_id: transcript.sessionId }, events })
    else await record.append(events)
  }
}
