// Measures the time from submitting a task to its first model request, in a repository that is
// already cloned.

import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { Task } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { type Caller, createCaller } from '../compose/caller.ts'
import { git } from '../integration/repository.ts'
import { type BareSdk, openBareSdk, type TimedEvent } from './bare-sdk.ts'
import { now } from './clock.ts'
import { interleave, median, spreadOf } from './figures.ts'
import { firstRequest } from './model-log.ts'
import type { Section } from './report.ts'
import { addWorktree, makeClone, makeSizedRepository } from './repositories.ts'
import { type Postgres, Resources, startSwitchyardSystem } from './resources.ts'

const AIM = 1.15
const CONCURRENCY = 8

/** Times of the phases since the call, ms. */
type Ours = {
  readonly accepted: number
  readonly started: number
  readonly worktree: number
  readonly session: number
  readonly prompt: number
  readonly model: number
}

type Bare = Pick<Ours, 'session' | 'prompt' | 'model'>

const promptOf = (marker: string): string => `Say that you are there, ${marker}. ${script([{ say: 'I am.' }])}`

const isOfSession = ({ properties }: TimedEvent['event'], sessionId: string): boolean =>
  'sessionID' in properties && properties.sessionID === sessionId

const eventTime = (sdk: BareSdk, sessionId: string, type: string, began: number): number => {
  const found = sdk.events.find(({ event }) => event.type === type && isOfSession(event, sessionId))
  if (!found) throw new Error(`no event ${type} of ${sessionId} arrived`)
  return found.at - began
}

/** Returns when the worktree was ready: git writes its index after the checkout. */
const worktreeTime = async (directory: string, began: number): Promise<number> => {
  const index = await git(directory, 'rev-parse', '--path-format=absolute', '--git-path', 'index')
  return (await stat(index)).mtimeMs - began
}

const runTask = async (
  { caller, sdk, modelUrl }: { readonly caller: Caller; readonly sdk: BareSdk; readonly modelUrl: string },
  repository: string,
  marker: string,
): Promise<Ours> => {
  const began = now()
  const { task_id } = (await caller.post('/tasks', { task_description: promptOf(marker), project: repository })) as Task
  const accepted = now() - began
  const request = await firstRequest(modelUrl, marker)
  const task = await caller.ended(task_id)
  if (task.status !== 'completed' || task.directory === null || task.session_id === null || task.started_at === null)
    throw new Error(`the task ended as ${task.status}: ${task.error?.message}`)
  return {
    accepted,
    started: Date.parse(task.started_at) - began,
    worktree: await worktreeTime(task.directory, began),
    session: eventTime(sdk, task.session_id, 'session.created', began),
    prompt: eventTime(sdk, task.session_id, 'message.updated', began),
    model: request.at - began,
  }
}

const runBare = async (sdk: BareSdk, modelUrl: string, directory: string, marker: string): Promise<Bare> => {
  const began = now()
  const sessionId = await sdk.prompt(directory, promptOf(marker))
  const request = await firstRequest(modelUrl, marker)
  await sdk.ended(sessionId, directory)
  return {
    session: eventTime(sdk, sessionId, 'session.created', began),
    prompt: eventTime(sdk, sessionId, 'message.updated', began),
    model: request.at - began,
  }
}

const ms = (value: number): string => `${value.toFixed(0)} ms`

const describePhases = (rounds: readonly { readonly ours: Ours; readonly bare: Bare }[]): readonly string[] => {
  const ours = (pick: (one: Ours) => number) => ms(median(rounds.map((round) => pick(round.ours))))
  const bare = (pick: (one: Bare) => number) => ms(median(rounds.map((round) => pick(round.bare))))
  return [
    'Medians of the phases, Switchyard:',
    `  call → answered ${ours((one) => one.accepted)}; call → started ${ours((one) => one.started)}`,
    `  started → worktree ready ${ours((one) => one.worktree - one.started)}; → session ${ours((one) => one.session - one.worktree)}` +
      `; → prompt ${ours((one) => one.prompt - one.session)}; → model ${ours((one) => one.model - one.prompt)}`,
    'bare:',
    `  call → session ${bare((one) => one.session)}; → prompt ${bare((one) => one.prompt - one.session)}` +
      `; → model ${bare((one) => one.model - one.prompt)}`,
  ]
}

export const measureFirstRequest = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  await using resources = new Resources()
  const { model, opencode, switchyard } = await startSwitchyardSystem(resources, postgres, CONCURRENCY)
  const directory = await resources.directory('repositories')
  const repository = await makeSizedRepository(path.join(directory, 'origin'))
  const clone = await makeClone(repository, path.join(directory, 'clone'))
  const sdk = await resources.add(openBareSdk(opencode, true))
  const system = { caller: createCaller(switchyard.url), sdk, modelUrl: model.url }
  const warmUp = 2
  const rounds = quick ? 3 : 15
  const worktrees: string[] = []
  for (let at = 0; at < warmUp + rounds; at += 1)
    worktrees.push(await addWorktree(clone, path.join(directory, `worktree-${at}`), `bare-${at}`))
  const both = await interleave(
    warmUp + rounds,
    (round) => runTask(system, repository, `ours-${round}-`),
    (round) => runBare(sdk, model.url, worktrees[round] ?? '', `bare-${round}-`),
  )
  const measured = both.slice(warmUp)
  return {
    title: '2. From the call to the first model request, in a cloned repository',
    explanation: [
      'Switchyard: POST /tasks with a project → first model request, including a fetch and a new worktree.',
      'bare: session create → first model request, in an existing worktree that is new to OpenCode.',
      `${rounds} times each, one at a time, on the same OpenCode server; the repository has 203 files.`,
    ],
    unit: 'ms',
    rows: [
      {
        name: 'first model request',
        ours: median(measured.map((round) => round.ours.model)),
        bare: median(measured.map((round) => round.bare.model)),
        spread: spreadOf(measured.map((round) => round.ours.model / round.bare.model)),
        aim: AIM,
      },
    ],
    notes: describePhases(measured),
  }
}
