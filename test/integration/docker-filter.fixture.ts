// A Docker filter in front of the real engine for a test file, and what a worker does through it.

import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newTaskId, newWorkerId } from '@switchyard/contracts'
import {
  connectEngine,
  createBody,
  type OutputLine,
  Runner,
  type RunnerSettings,
  ServerContainers,
  type Turn,
} from '@switchyard/docker'
import { engineAddress, Filter } from '@switchyard/docker-filter'
import { pino } from 'pino'
import { docker } from '../compose/docker.ts'

/** An image without OpenCode: its containers end at once, which makes no difference to the filter. */
export const IMAGE = 'debian:bookworm-slim'
export const ENGINE_SOCKET = '/var/run/docker.sock'
/** A provider's key that the filter adds to containers and that the worker does not have. */
export const KEY = 'a-key-that-the-worker-does-not-have'
const LIMITS = { image: IMAGE, cpus: 1, memoryBytes: 268_435_456, pids: 64 }
const SERVER_BYTES = 536_870_912
const USER = '1000:1000'

/** Changes to a request body that a worker sends. */
export type BodyChange = { readonly host?: object; readonly body?: object }

/** Returns the body with the changes applied. */
export const changed = <T extends { readonly HostConfig?: object | undefined }>(body: T, change: BodyChange) => ({
  ...body,
  ...change.body,
  HostConfig: { ...body.HostConfig, ...change.host },
})

type RunnerOptions = {
  /** Returns the workers with a recent heartbeat. Defaults to the runner's own worker. */
  readonly liveWorkers?: () => Promise<ReadonlySet<string>>
  readonly namespaces?: number
  readonly network?: string
  readonly socketPath?: string
}

type EngineResponse = { readonly status: number; readonly text: string }

/** Sends one request to an engine or a filter over its socket. */
const send = (socketPath: string, method: string, url: string, body?: unknown): Promise<EngineResponse> =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path: url, headers: { 'content-type': 'application/json' } })
    sent.once('error', reject)
    sent.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })

const idsIn = (output: string): readonly string[] => output.split('\n').filter((id) => id !== '')

export const inspectId = async (name: string) => (await docker(['inspect', name, '-f', '{{.Id}}'])).trim()

export const networkModeOf = async (id: string) =>
  (await docker(['inspect', id, '-f', '{{.HostConfig.NetworkMode}}'])).trim()

/** Returns the lines that a container printed, once it has ended. */
export const printedBy = async (runner: Runner, id: string): Promise<readonly string[]> => {
  const lines: OutputLine[] = []
  const signal = AbortSignal.timeout(50_000)
  for await (const line of runner.output(id, { follow: true, store: async () => undefined, signal })) lines.push(line)
  return lines.map(({ text }) => text)
}

export type FilterFixture = Awaited<ReturnType<typeof openFilter>>

/** Starts a filter with its own network, and a container of somebody else on the engine. */
export const openFilter = async () => {
  const stack = randomBytes(6).toString('hex')
  const network = `switchyard-test-${stack}`
  const taskNetwork = { network, proxy: 'http://egress:3128' }
  const worker = newWorkerId()
  const logger = pino({ level: 'silent' })
  const settings: RunnerSettings = { ...LIMITS, stack, user: USER, environment: {} }
  const folder = await mkdtemp(path.join(tmpdir(), 'switchyard-test-filter-'))
  const serverSettings = {
    ...settings,
    memoryBytes: SERVER_BYTES,
    network,
    proxy: undefined,
    workspacesDir: folder,
  }
  const socketPath = path.join(folder, 'docker.sock')

  /** @param engine - path of the engine's socket. */
  const startFilter = async (
    at: string,
    options: { readonly network?: string; readonly engine?: string } = {},
  ): Promise<Filter> => {
    const own = options.network ?? network
    const filter = new Filter({
      engine: engineAddress(`unix://${options.engine ?? ENGINE_SOCKET}`),
      source: { path: folder },
      policy: {
        settings: { ...LIMITS, user: USER, environment: { ANTHROPIC_API_KEY: KEY } },
        taskNetwork: { ...taskNetwork, network: own },
        server: { network: own, memoryBytes: SERVER_BYTES },
        workspacesDir: folder,
      },
      logger,
    })
    await new Promise<void>((resolve) => filter.server.listen(at, resolve))
    return filter
  }

  const filter = await startFilter(socketPath)
  await docker(['network', 'create', '--internal', network])
  const foreign = (await docker(['run', '--detach', '--entrypoint', 'sleep', IMAGE, '600'])).trim()

  const newTurn = async (): Promise<Turn> => {
    const taskId = newTaskId()
    const promptId = `msg_${randomBytes(12).toString('hex')}`
    const root = path.join(folder, 'docker', taskId)
    const directory = path.join(root, 'work')
    await mkdir(directory, { recursive: true })
    return {
      taskId,
      generation: 1,
      promptId,
      root,
      directory,
      home: path.join(root, 'home'),
      promptFile: path.join(root, 'prompts', `${promptId}.txt`),
      args: ['--title=x', '--auto'],
    }
  }
  const nameOf = (turn: Turn) => `switchyard-${stack}-${turn.taskId}-${turn.promptId}`.toLowerCase()
  const createUrl = (name: string) => `/containers/create?name=${name}`

  return {
    stack,
    network,
    taskNetwork,
    worker,
    settings,
    serverSettings,
    folder,
    socketPath,
    /** The container of somebody else. */
    foreign,
    startFilter,
    /** Prepares the directory of a task's turn. */
    newTurn,
    nameOf,
    createUrl,
    /** Sends a request to the filter, or to another socket. */
    send: (method: string, url: string, body?: unknown, at = socketPath) => send(at, method, url, body),
    /** Asks the filter for a task's container with these changes. */
    createTask: async (change: BodyChange, name?: string): Promise<EngineResponse> => {
      const turn = await newTurn()
      const body = changed(createBody(settings, turn, taskNetwork), change)
      return await send(socketPath, 'POST', createUrl(name ?? nameOf(turn)), body)
    },
    runner: (workerId: string = worker, options: RunnerOptions = {}) =>
      new Runner({
        engine: connectEngine(`unix://${options.socketPath ?? socketPath}`),
        settings,
        runnerNetwork: { ...taskNetwork, network: options.network ?? network },
        egress: { image: IMAGE, allow: [], deny: [] },
        exclusively: (work) => work(),
        workerId,
        liveWorkers: options.liveWorkers ?? (async () => new Set([workerId])),
        namespaces: options.namespaces ?? 1,
        logger,
      }),
    servers: () => new ServerContainers(connectEngine(`unix://${socketPath}`), serverSettings),
    projectServer: () => ({
      projectId: `proj_${randomBytes(13).toString('hex').toUpperCase()}`,
      password: randomBytes(24).toString('base64url'),
      model: 'some/model',
      environment: { MY_SETTING: 'yes' },
    }),
    /** The containers that keep a network namespace open for tasks. */
    namespaceHolders: async () => {
      const labels = [`label=switchyard.stack=${stack}`, 'label=switchyard.namespace']
      return idsIn(await docker(['ps', '--quiet', '--no-trunc', ...labels.flatMap((label) => ['--filter', label])]))
    },
    containersIn: async (name: string) =>
      idsIn(await docker(['ps', '--all', '--quiet', '--no-trunc', '--filter', `network=${name}`])),
    close: async () => {
      const own = idsIn(await docker(['ps', '--all', '--quiet', '--filter', `label=switchyard.stack=${stack}`]))
      await docker(['rm', '--force', foreign, ...own])
      await docker(['network', 'rm', network])
      await filter.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
