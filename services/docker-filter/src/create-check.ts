// Checks the body of `POST /containers/create`. The few values that may differ between containers are
// read and validated; the body that goes to the engine is built from them and the filter's own
// settings, so nothing the caller wrote reaches the engine unchecked.

import { isDeepStrictEqual } from 'node:util'
import { isObject } from '@switchyard/contracts'
import {
  createBody,
  createHolderBody,
  createServerBody,
  HOLDER_NAME,
  joinedHolder,
  joinHolder,
  type RunnerNetwork,
  type RunnerSettings,
  requestedServer,
  SUBAGENTS,
  serverName,
} from '@switchyard/docker'
import { containerDirectories, promptFile } from '@switchyard/workspace/layout'
import { z } from 'zod'
import { NotAllowed } from './not-allowed.ts'

export type Policy = {
  readonly settings: Omit<RunnerSettings, 'stack'>
  /** The network of task containers and the proxy through which they reach the internet. */
  readonly taskNetwork: RunnerNetwork
  /** Set if projects may have servers in containers; these differ from task containers in network and memory. */
  readonly server?: { readonly network: string; readonly memoryBytes: number } | undefined
  /** Path of the working directories in the worker's containers. */
  readonly workspacesDir: string
}

const STACK = /^[0-9a-f]{12}$/
const TASK = /^task_[0-9A-Z]{26}$/
const PROMPT = new RegExp(`^(msg_[0-9A-Za-z]{10,60}|${SUBAGENTS})$`)
const ARGUMENT = /^--(model|agent|variant|title|session)=[^\0]{1,300}$|^--auto$/
/** The only variable a worker may add: the task's permissions. The filter itself adds the provider keys. */
const PERMISSION_VARIABLE = 'OPENCODE_PERMISSION'

const taskSchema = z.object({
  Cmd: z.array(z.string().regex(ARGUMENT, 'is not an argument that a worker passes')).max(10),
  Env: z.array(z.string()).max(200),
  Labels: z.strictObject({
    'switchyard.stack': z.string().regex(STACK),
    'switchyard.task': z.string().regex(TASK),
    'switchyard.generation': z.string().regex(/^\d{1,10}$/),
    'switchyard.prompt': z.string().regex(PROMPT),
    'com.docker.compose.project': z.literal(''),
    'com.docker.compose.service': z.literal(''),
  }),
})

const serverSchema = z.object({
  Env: z.array(z.string().max(100_000)).max(300),
  Labels: z.strictObject({
    'switchyard.stack': z.string().regex(STACK),
    'switchyard.server': z.string().regex(/^((proj|task)_[0-9A-Z]{26}|owner_[0-9a-f]{24})$/),
    'com.docker.compose.project': z.literal(''),
    'com.docker.compose.service': z.literal(''),
  }),
})

const namespaceSchema = z.object({
  Labels: z.strictObject({
    'switchyard.stack': z.string().regex(STACK),
    'switchyard.namespace': z.string().regex(/^worker_[0-9A-Z]{26}$/),
    'com.docker.compose.project': z.literal(''),
    'com.docker.compose.service': z.literal(''),
  }),
})

export type AllowedCreate = {
  /** The body to send to the engine, with the filter's own environment. */
  readonly body: ReturnType<typeof createBody>
  /** The directory to mount, as a path in the worker's containers; null if nothing is mounted. */
  readonly root: string | null
  /** Set for a task's container. */
  readonly taskId?: string
  /** Id of the container whose network namespace this one joins; the caller must still check it with the engine. */
  readonly joins?: string
}

/**
 * Checks a request to create a container for a task, a project's server or a network namespace.
 *
 * @param name - the `name` parameter of the request.
 * @param given - the body of the request.
 * @throws NotAllowed, naming the first value that a worker of this installation would not send:
 *   another image, mount, capability, namespace, limit or network.
 */
export const checkCreate = (policy: Policy, name: string | null, given: unknown): AllowedCreate => {
  if (hasLabel(given, 'switchyard.server')) return checkServer(policy, name, given)
  if (hasLabel(given, 'switchyard.namespace')) return checkNamespace(policy, name, given)
  return checkTask(policy, name, given)
}

const checkTask = (policy: Policy, name: string | null, given: unknown): AllowedCreate => {
  const { Cmd, Env, Labels } = parse(taskSchema, given)
  const stack = Labels['switchyard.stack']
  const taskId = Labels['switchyard.task']
  const promptId = Labels['switchyard.prompt']
  requireName(name === `switchyard-${stack}-${taskId}-${promptId}`.toLowerCase())
  const directories = containerDirectories(policy.workspacesDir, taskId)
  const { root } = directories
  const permission = variable(Env, PERMISSION_VARIABLE)
  const joins = joinedContainer(given)
  const body = createBody(
    { ...policy.settings, stack },
    {
      taskId,
      generation: Number(Labels['switchyard.generation']),
      promptId,
      root,
      directory: directories.work,
      home: directories.home,
      promptFile: promptFile(directories, promptId),
      args: Cmd,
      environment: permission === undefined ? {} : { [PERMISSION_VARIABLE]: permission },
    },
    joins === undefined ? policy.taskNetwork : { ...policy.taskNetwork, network: joinHolder(joins) },
  )
  requireSame(given, body)
  return { body, taskId, root, ...(joins === undefined ? {} : { joins }) }
}

/** A project, an API key or a task has one server container, named after it, with all working directories and a volume of its own. */
const checkServer = (policy: Policy, name: string | null, given: unknown): AllowedCreate => {
  if (!policy.server) throw new NotAllowed('this installation does not run project servers in containers')
  const { Env, Labels } = parse(serverSchema, given)
  const stack = Labels['switchyard.stack']
  const projectId = Labels['switchyard.server']
  requireName(name === serverName(stack, projectId))
  const server = requestedServer(projectId, Env)
  if (!server) throw new NotAllowed('the server has no valid password')
  const { proxy } = policy.taskNetwork
  const settings = { ...policy.settings, ...policy.server, proxy, workspacesDir: policy.workspacesDir, stack }
  const body = createServerBody(settings, server)
  requireSame(given, body)
  return { body, root: policy.workspacesDir }
}

/** The container that keeps a network namespace open has no mounts and no keys, and only sleeps. */
const checkNamespace = (policy: Policy, name: string | null, given: unknown): AllowedCreate => {
  const { Labels } = parse(namespaceSchema, given)
  const stack = Labels['switchyard.stack']
  requireName(name !== null && HOLDER_NAME.test(name) && name.startsWith(`switchyard-${stack}-`))
  const settings = { ...policy.settings, stack }
  const body = createHolderBody(settings, Labels['switchyard.namespace'], policy.taskNetwork.network)
  requireSame(given, body)
  return { body, root: null }
}

const parse = <S extends z.ZodType>(schema: S, given: unknown): z.output<S> => {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new NotAllowed(z.prettifyError(parsed.error).replaceAll('\n', ' '))
}

const requireName = (isExpected: boolean): void => {
  if (!isExpected) throw new NotAllowed('the name does not match the labels')
}

/** Compares everything but the environment: only the variables read from it are used, and the rest is dropped. */
const requireSame = (given: unknown, expected: AllowedCreate['body']): void => {
  const differs = difference({ ...(given as object), Env: [] }, { ...JSON.parse(JSON.stringify(expected)), Env: [] })
  if (differs) throw new NotAllowed(`${differs} differs from what this installation sets`)
}

/** Returns the path of the first field in which two bodies differ. */
const difference = (given: unknown, expected: unknown, at = ''): string | undefined => {
  if (isDeepStrictEqual(given, expected)) return undefined
  if (!isObject(given) || !isObject(expected)) return at || 'the body'
  for (const key of new Set([...Object.keys(given), ...Object.keys(expected)])) {
    const found = difference(given[key], expected[key], at ? `${at}.${key}` : key)
    if (found) return found
  }
  return at
}

const hasLabel = (given: unknown, label: string): boolean =>
  z.object({ Labels: z.object({ [label]: z.unknown() }) }).safeParse(given).success

const variable = (env: readonly string[], name: string): string | undefined =>
  env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1)

/** Accepts a full container id only: unlike a name, the engine never reuses it. */
const joinedContainer = (given: unknown): string | undefined => {
  const mode = z.object({ HostConfig: z.object({ NetworkMode: z.string() }) }).safeParse(given)
  const id = joinedHolder(mode.data?.HostConfig.NetworkMode)
  return id !== undefined && /^[0-9a-f]{64}$/.test(id) ? id : undefined
}
