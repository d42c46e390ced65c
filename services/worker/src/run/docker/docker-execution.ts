// A task in containers of its own: one for its prompt, and another one each time callers have sent
// messages or a container was lost. All of them share the task's OpenCode data, and so its session.

import { isSwitchyardError } from '@switchyard/contracts'
import { type RunnerContainer, SUBAGENTS, type Turn } from '@switchyard/docker'
import { newMessageId, RunTranscript } from '@switchyard/opencode'
import { countDelivered } from '@switchyard/records'
import { createWorkspace } from '@switchyard/workspace'
import { type Execution, type Halted, type RunContext, raiseRequested } from '../execution.ts'
import type { Findings, Verdict } from '../verdict.ts'
import { ContainerDirectory } from './container-directory.ts'
import { type ContainerEnd, ContainerFollower, REMOVED } from './container-follower.ts'
import { readSubagents } from './read-subagents.ts'
import { type Retry, retryWhileUnavailable } from './retry-while-unavailable.ts'
import { permissionEnvironment, runArguments } from './run-arguments.ts'
import { type Prompt, TaskPrompts } from './task-prompts.ts'

/** How long reading the last output of a stopped or frozen container may take, ms. */
const CATCH_UP_MS = 5_000

export class DockerExecution implements Execution {
  readonly whenPaused = 'the container is frozen'
  readonly #run: RunContext
  readonly #directory: ContainerDirectory
  readonly #prompts: TaskPrompts
  readonly #transcript: RunTranscript
  readonly #retry: Retry
  readonly #follower: ContainerFollower
  readonly #model: string | null
  #exitCode: number | null = null
  #children: Findings['children'] = []
  /** The end of the last container; null before the first one is read. */
  #lastEnd: ContainerEnd | null = null
  /** A container that was created while the working directory was. */
  #createdAhead: { readonly promptId: string; readonly id: string } | undefined

  constructor(run: RunContext) {
    const { deps, record, interrupt } = run
    const { row } = record
    this.#run = run
    this.#directory = new ContainerDirectory(deps.layout.container(row.id))
    this.#prompts = new TaskPrompts(record, this.#directory)
    this.#model = row.model ?? deps.defaultModel ?? null
    this.#transcript = new RunTranscript(deps.layout.task(row), row.session_id, this.#model)
    this.#retry = retryWhileUnavailable(interrupt, deps.logger)
    this.#follower = new ContainerFollower({
      run,
      transcript: this.#transcript,
      retry: this.#retry,
      root: this.#directory.root,
      onReceived: (promptId) => this.#prompts.markReceived(promptId),
    })
  }

  /** A message waits for the end of the turn: `opencode run` reads none while it works. */
  async command(): Promise<void> {
    const { record, interrupt } = this.#run
    await record.refresh()
    raiseRequested(record, interrupt)
  }

  /** Runs one container after another, until no prompt is left. */
  async work(): Promise<Verdict> {
    this.#lastEnd ??= await this.#prepare()
    for (;;) {
      const next = await this.#next(this.#lastEnd)
      if ('kind' in next) return next
      this.#lastEnd = await this.#runContainer(next)
    }
  }

  /** Creates the working directory and reads the containers of earlier owners. */
  async #prepare(): Promise<ContainerEnd | null> {
    const { deps, record, interrupt } = this.#run
    const promptId = record.row.prompt_id ?? newMessageId()
    const [workspace] = await Promise.all([
      createWorkspace(deps, record.row, interrupt.signal),
      // The engine takes as long for a container as git takes for the directory.
      record.row.prompt_id === null ? this.#createAhead(promptId) : undefined,
    ])
    interrupt.check()
    if (record.row.directory === null) {
      await this.#directory.prepare()
      await record.write({
        set: {
          directory: workspace.directory,
          branch: workspace.branch,
          base_commit: workspace.baseCommit,
          prompt_id: promptId,
        },
      })
    }
    return record.row.attempt > 1 ? await this.#readEarlierContainers() : null
  }

  async #readEarlierContainers(): Promise<ContainerEnd | null> {
    const { deps, record } = this.#run
    let end: ContainerEnd | null = null
    for (const container of await this.#retry(() => deps.runner.find(record.row.id)))
      if (container.promptId === SUBAGENTS) await this.#retry(() => deps.runner.remove(container.id))
      else if (container.status === 'created') this.#prompts.markUnstarted(container.promptId)
      else end = await this.#attach(container)
    return end?.outcome.kind === 'finished' && (await this.#prompts.isLastLost()) ? REMOVED : end
  }

  async #createAhead(promptId: string): Promise<void> {
    await this.#directory.create()
    try {
      this.#createdAhead = { promptId, id: await this.#run.deps.runner.create(this.#turn(promptId)) }
    } catch (error) {
      // The start of the container will retry.
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
      root: this.#directory.root,
      directory: deps.layout.task(row),
      home: this.#directory.home,
      promptFile: this.#directory.promptFile(promptId),
      args: runArguments(row, this.#model, this.#transcript.sessionId),
      environment: permissionEnvironment(row.permissions),
    }
  }

  /**
   * Follows a container of an earlier owner. Its output is read from the beginning, because some of
   * it is not recorded.
   */
  async #attach({ id, promptId, status }: RunnerContainer): Promise<ContainerEnd> {
    const { deps } = this.#run
    if (status === 'paused') await this.#retry(() => deps.runner.unpause(id))
    await this.#recordStart(id)
    return await this.#follow(id, promptId)
  }

  async #follow(id: string, promptId: string): Promise<ContainerEnd> {
    const end = await this.#follower.untilEnd(id, promptId)
    this.#exitCode = end.exitCode
    this.#prompts.markEnded(promptId)
    return end
  }

  /** @returns the next prompt; without one, the verdict. */
  async #next(end: ContainerEnd | null): Promise<Prompt | Verdict> {
    const { record } = this.#run
    if (end === null) return await this.#prompts.next(REMOVED.outcome.how)
    const { outcome } = end
    switch (outcome.kind) {
      case 'interrupted':
        return await this.#prompts.next(outcome.how)
      case 'failed':
        await this.#readSubagents()
        return { kind: 'failed', findings: this.#findings, error: outcome.error }
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

  async #runContainer(prompt: Prompt): Promise<ContainerEnd> {
    const { deps, record, interrupt } = this.#run
    await this.#directory.writePrompt(prompt.id, prompt.text)
    // Only the owner of the task starts containers.
    await record.refresh()
    raiseRequested(record, interrupt)
    const created = this.#createdAhead?.promptId === prompt.id ? this.#createdAhead.id : undefined
    const id = await this.#retry(() => deps.runner.start(this.#turn(prompt.id), created))
    await this.#recordStart(id)
    return await this.#follow(id, prompt.id)
  }

  async #recordStart(containerId: string): Promise<void> {
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

  /**
   * Stops or freezes the containers and reads what they have printed. Unreachable ones are removed
   * by the container cleanup.
   */
  async halt(how: 'stop' | 'pause'): Promise<Halted> {
    const { deps, record } = this.#run
    await record.refresh()
    try {
      for (const container of await deps.runner.find(record.row.id)) await this.#halt(container, how)
    } catch (error) {
      if (isSwitchyardError(error, 'stale_owner')) throw error
      deps.logger.warn({ task_id: record.row.id, err: error }, 'failed to reach the containers of a task')
      // For a task that ends nothing is pending: the container cleanup removes the containers of
      // ended tasks.
      return { findings: this.#findings, isAbortPending: how === 'pause' }
    }
    return { findings: this.#findings, isAbortPending: false }
  }

  async #halt({ id, promptId, status }: RunnerContainer, how: 'stop' | 'pause'): Promise<void> {
    const { runner } = this.#run.deps
    if (promptId === SUBAGENTS) return await runner.remove(id)
    if (status === 'running') await (how === 'pause' ? runner.pause(id) : runner.stop(id))
    if (status === 'paused' && how === 'stop') await runner.stop(id)
    // It was created ahead and never started.
    if (status === 'created') return
    await this.#follower.catchUp(id, promptId, AbortSignal.timeout(CATCH_UP_MS))
    if (how === 'stop') this.#exitCode = (await runner.state(id)).exitCode
  }

  /** Nothing to release: the containers belong to the task, not to this run. */
  close(): void {}

  async cleanUp(): Promise<void> {
    const { deps, record } = this.#run
    try {
      for (const { id } of await deps.runner.find(record.row.id)) await deps.runner.remove(id)
    } catch (error) {
      deps.logger.warn({ task_id: record.row.id, err: error }, 'failed to remove containers; they are removed later')
    }
  }
}
