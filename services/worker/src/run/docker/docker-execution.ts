// A task in containers of its own: one for its prompt, one more for each time that callers have said something or a container
// was lost, all on the same OpenCode data and hence in the same session.

import { isSwitchyardError } from '@switchyard/contracts'
import { type RunnerContainer, SUBAGENTS, type Turn } from '@switchyard/docker'
import { newMessageId, RunTranscript } from '@switchyard/opencode'
import { countDelivered } from '@switchyard/records'
import { createWorkspace } from '@switchyard/workspace'
import { type Execution, type Halted, type RunContext, raiseRequested } from '../execution.ts'
import type { Findings, Verdict } from '../verdict.ts'
import { Place } from './container-directory.ts'
import { Follower, GONE, type Read } from './follow-container.ts'
import { type Prompt, Prompts } from './prompts.ts'
import { readSubagents } from './read-subagents.ts'
import { Patience } from './retry-while-unavailable.ts'
import { permissionEnvironment, runArguments } from './run-arguments.ts'

/** How long the last words of a container that was stopped or frozen are waited for, ms. */
const LAST_WORDS_MS = 5_000

export class DockerExecution implements Execution {
  readonly whenPaused = 'the container is frozen'
  readonly #run: RunContext
  readonly #place: Place
  readonly #prompts: Prompts
  readonly #transcript: RunTranscript
  readonly #patience: Patience
  readonly #follower: Follower
  readonly #model: string | null
  #exitCode: number | null = null
  #children: Findings['children'] = []
  /** What the last container came to; null before the first one is read. */
  #lastRead: Read | null = null
  /** The container that was made while its directory was. */
  #made: { readonly promptId: string; readonly id: string } | undefined

  constructor(run: RunContext) {
    const { deps, record, interrupt } = run
    const { row } = record
    this.#run = run
    this.#place = new Place(deps.layout.container(row.id))
    this.#prompts = new Prompts(record, this.#place)
    this.#model = row.model ?? deps.defaultModel ?? null
    this.#transcript = new RunTranscript(deps.layout.task(row), row.session_id, this.#model)
    this.#patience = new Patience(interrupt, deps.logger)
    this.#follower = new Follower({
      run,
      transcript: this.#transcript,
      patience: this.#patience,
      root: this.#place.root,
      heard: (promptId) => this.#prompts.heard(promptId),
    })
  }

  /** A message waits for the end of the turn: `opencode run` reads none while it works. */
  async command(): Promise<void> {
    const { record, interrupt } = this.#run
    await record.refresh()
    raiseRequested(record, interrupt)
  }

  /** Prompts one container after another, until callers have nothing more to say. */
  async work(): Promise<Verdict> {
    this.#lastRead ??= await this.#prepare()
    for (;;) {
      const next = await this.#next(this.#lastRead)
      if ('kind' in next) return next
      this.#lastRead = await this.#answer(next)
    }
  }

  /** Creates the working directory and reads the containers of earlier owners. */
  async #prepare(): Promise<Read | null> {
    const { deps, record, interrupt } = this.#run
    const promptId = record.row.prompt_id ?? newMessageId()
    const [workspace] = await Promise.all([
      createWorkspace(deps, record.row, interrupt.signal),
      // The engine takes as long for a container as git for the directory.
      record.row.prompt_id === null ? this.#createAhead(promptId) : undefined,
    ])
    interrupt.check()
    if (record.row.directory === null) {
      await this.#place.prepare()
      await record.write({
        set: {
          directory: workspace.directory,
          branch: workspace.branch,
          base_commit: workspace.baseCommit,
          prompt_id: promptId,
        },
      })
    }
    let read: Read | null = null
    const left = record.row.attempt > 1 ? await this.#patience.forEngine(() => deps.runner.find(record.row.id)) : []
    for (const container of left)
      if (container.promptId === SUBAGENTS) await this.#patience.forEngine(() => deps.runner.remove(container.id))
      else if (container.status === 'created') this.#prompts.unstarted(container.promptId)
      else read = await this.#attach(container)
    return read?.verdict.kind === 'finished' && (await this.#prompts.isLastLost()) ? GONE : read
  }

  async #createAhead(promptId: string): Promise<void> {
    await this.#place.make()
    try {
      this.#made = { promptId, id: await this.#run.deps.runner.create(this.#turn(promptId)) }
    } catch (error) {
      // It is waited for when the container is to be started.
      if (!isSwitchyardError(error, 'docker_unavailable')) throw error
    }
  }

  #turn(promptId: string): Turn {
    const { deps, record } = this.#run
    const { row } = record
    return {
      taskId: row.id,
      generation: row.generation,
      promptId,
      root: this.#place.root,
      directory: deps.layout.task(row),
      home: this.#place.home,
      promptFile: this.#place.promptFile(promptId),
      args: runArguments(row, this.#model, this.#transcript.sessionId),
      environment: permissionEnvironment(row.permissions),
    }
  }

  /** A container of an earlier owner: read from its beginning, since what it printed meanwhile was told to nobody. */
  async #attach({ id, promptId, status }: RunnerContainer): Promise<Read> {
    const { deps } = this.#run
    if (status === 'paused') await this.#patience.forEngine(() => deps.runner.unpause(id))
    await this.#started(id)
    return await this.#readToEnd(id, promptId)
  }

  async #readToEnd(id: string, promptId: string): Promise<Read> {
    const read = await this.#follower.untilEnd(id, promptId)
    this.#exitCode = read.exitCode
    this.#prompts.answered(promptId)
    return read
  }

  async #next(read: Read | null): Promise<Prompt | Verdict> {
    const { record } = this.#run
    if (read === null) return await this.#prompts.next('it was removed')
    switch (read.verdict.kind) {
      case 'interrupted':
        return await this.#prompts.next(read.verdict.how)
      case 'failed':
        await this.#readSubagents()
        return { kind: 'failed', findings: this.#findings, error: read.verdict.error }
      case 'finished': {
        const prompt = await this.#prompts.fromCallers()
        if (prompt) return prompt
        const messagesSeen = await countDelivered(record.db, record.row.id)
        await this.#readSubagents()
        return { kind: 'completed', findings: this.#findings, messagesSeen }
      }
    }
  }

  async #readSubagents(): Promise<void> {
    if (!this.#transcript.hadSubagents) return
    this.#children = await readSubagents(this.#run, this.#turn(SUBAGENTS))
  }

  async #answer(prompt: Prompt): Promise<Read> {
    const { deps, record, interrupt } = this.#run
    await this.#place.writePrompt(prompt.id, prompt.text)
    // Only the owner starts containers.
    await record.refresh()
    raiseRequested(record, interrupt)
    const made = this.#made?.promptId === prompt.id ? this.#made.id : undefined
    const id = await this.#patience.forEngine(() => deps.runner.start(this.#turn(prompt.id), made))
    await this.#started(id)
    return await this.#readToEnd(id, prompt.id)
  }

  async #started(containerId: string): Promise<void> {
    const { record } = this.#run
    const { directory, branch, base_commit, status, session_id } = record.row
    await record.write({
      ...(status === 'preparing' ? { to: 'running' as const } : {}),
      events: [
        {
          type: 'task_started',
          message: `started in ${directory} on branch ${branch}`,
          source_key: 'started',
          data: { directory, branch, base_commit, session_id, container_id: containerId },
        },
      ],
    })
  }

  get #findings(): Findings {
    return {
      root: this.#transcript.messages,
      children: this.#children,
      ...(this.#exitCode === null ? {} : { exitCode: this.#exitCode }),
    }
  }

  /** Stops or freezes the containers and reads what they have printed. Those that cannot be reached are cleared away later. */
  async halt(how: 'stop' | 'pause'): Promise<Halted> {
    const { deps, record } = this.#run
    await record.refresh()
    try {
      for (const { id, promptId, status } of await deps.runner.find(record.row.id)) {
        if (promptId === SUBAGENTS) {
          await deps.runner.remove(id)
          continue
        }
        if (status === 'running') await (how === 'pause' ? deps.runner.pause(id) : deps.runner.stop(id))
        if (status === 'paused' && how === 'stop') await deps.runner.stop(id)
        // Made ahead and never started.
        if (status === 'created') continue
        await this.#follower.catchUp(id, promptId, AbortSignal.timeout(LAST_WORDS_MS))
        if (how === 'stop') this.#exitCode = (await deps.runner.state(id)).exitCode
      }
    } catch (error) {
      if (isSwitchyardError(error, 'stale_owner')) throw error
      deps.logger.warn({ task_id: record.row.id, err: error }, 'the container could not be reached')
      // The record need not say so of a task that ends: containers of ended tasks are cleared away without it.
      return { findings: this.#findings, isAbortPending: how === 'pause' }
    }
    return { findings: this.#findings, isAbortPending: false }
  }

  /** The containers are the task's, not this run's. */
  close(): void {}

  async cleanUp(): Promise<void> {
    const { deps, record } = this.#run
    try {
      for (const { id } of await deps.runner.find(record.row.id)) await deps.runner.remove(id)
    } catch (error) {
      deps.logger.warn({ task_id: record.row.id, err: error }, 'the containers are cleared away later')
    }
  }
}
