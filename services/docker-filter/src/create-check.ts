// The body of `create`: taken apart into the few things that may differ from container to container, each of them checked, and
// put together anew from the filter's own settings. Nothing that the caller wrote goes on to the engine as it is.

import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import {
  createBody,
  createHolderBody,
  createServerBody,
  HOLDER_NAME,
  joined,
  joining,
  type RunnerSettings,
  SUBAGENTS,
  serverAskedFor,
  serverName,
  type Way,
} from '@switchyard/docker'
import { z } from 'zod'

export type Policy = {
  readonly settings: Omit<RunnerSettings, 'stack'>
  readonly way: Way
  /** Where projects may have servers in containers; what else they have is as for tasks. */
  readonly server?: { readonly network: string; readonly memoryBytes: number } | undefined
  /** The working directories as the worker sees them. */
  readonly workspacesDir: string
}

/** Why a call is not admitted, for the worker's log and ours. */
export class NotAdmitted extends Error {}

const STACK = /^[0-9a-f]{12}$/
const TASK = /^task_[0-9A-Z]{26}$/
const PROMPT = new RegExp(`^(msg_[0-9A-Za-z]{10,60}|${SUBAGENTS})$`)
const ARGUMENT = /^--(model|agent|variant|title|session)=[^\0]{1,300}$|^--auto$/
/** What the worker may add to the environment by itself: the task's permissions. Keys are the filter's to give. */
const OWN_VARIABLE = 'OPENCODE_PERMISSION'

const bodySchema = z.object({
  Cmd: z.array(z.string().regex(ARGUMENT, 'is no argument that a worker gives')).max(10),
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

const serverBodySchema = z.object({
  Env: z.array(z.string().max(100_000)).max(300),
  Labels: z.strictObject({
    'switchyard.stack': z.string().regex(STACK),
    'switchyard.server': z.string().regex(/^proj_[0-9A-Z]{26}$/),
    'com.docker.compose.project': z.literal(''),
    'com.docker.compose.service': z.literal(''),
  }),
})

const holderBodySchema = z.object({
  Labels: z.strictObject({
    'switchyard.stack': z.string().regex(STACK),
    'switchyard.namespace': z.string().regex(/^worker_[0-9A-Z]{26}$/),
    'com.docker.compose.project': z.literal(''),
    'com.docker.compose.service': z.literal(''),
  }),
})

const variable = (env: readonly string[], name: string): string | undefined =>
  env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1)

/** The first place where two bodies differ, for a message that helps. */
const difference = (given: unknown, ours: unknown, at = ''): string | undefined => {
  if (isDeepStrictEqual(given, ours)) return undefined
  const isBranch = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isBranch(given) || !isBranch(ours)) return at || 'the body'
  for (const key of new Set([...Object.keys(given), ...Object.keys(ours)])) {
    const found = difference(given[key], ours[key], at ? `${at}.${key}` : key)
    if (found) return found
  }
  return at
}

/** The directory of a task as the worker sees it. */
export const rootOf = (policy: Policy, taskId: string): string => path.join(policy.workspacesDir, 'docker', taskId)

export type Admitted = {
  readonly body: ReturnType<typeof createBody>
  /** The directory that is mounted, as the worker sees it; null where none is. */
  readonly root: string | null
  /** Whose container it is, where it is one of a task. */
  readonly taskId?: string
  /** The container whose network namespace it joins, yet to be checked with the engine. */
  readonly joins?: string
}

const parse = <S extends z.ZodType>(schema: S, given: unknown): z.output<S> => {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new NotAdmitted(z.prettifyError(parsed.error).replaceAll('\n', ' '))
}

const hasLabel = (given: unknown, label: string): boolean =>
  z.object({ Labels: z.object({ [label]: z.unknown() }) }).safeParse(given).success

/** Another container's network namespace by the container's id, which only that one has had ever. */
const joinedHolder = (given: unknown): string | undefined => {
  const mode = z.object({ HostConfig: z.object({ NetworkMode: z.string() }) }).safeParse(given)
  const id = joined(mode.data?.HostConfig.NetworkMode)
  return id !== undefined && /^[0-9a-f]{64}$/.test(id) ? id : undefined
}

/** What holds a network namespace: nothing of the host, no keys, and nothing that runs. */
const admitHolder = (policy: Policy, name: string | null, given: unknown): Admitted => {
  const { Labels } = parse(holderBodySchema, given)
  const stack = Labels['switchyard.stack']
  if (name === null || !HOLDER_NAME.test(name) || !name.startsWith(`switchyard-${stack}-`))
    throw new NotAdmitted('the name is not the one of its labels')
  const settings = { ...policy.settings, stack }
  const ours = createHolderBody(settings, Labels['switchyard.namespace'], policy.way.network)
  requireSame(given, ours)
  return { body: ours, root: null }
}

/** The server of a project: one container by its name, all working directories, a volume that only it has. */
const admitServer = (policy: Policy, name: string | null, given: unknown): Admitted => {
  if (!policy.server) throw new NotAdmitted('this installation has no servers of projects in containers')
  const { Env, Labels } = parse(serverBodySchema, given)
  const stack = Labels['switchyard.stack']
  const projectId = Labels['switchyard.server']
  if (name !== serverName(stack, projectId)) throw new NotAdmitted('the name is not the one of its labels')
  const asked = serverAskedFor(projectId, Env)
  if (!asked) throw new NotAdmitted('the server has no password that a worker gives')
  const settings = { ...policy.settings, ...policy.server, workspacesDir: policy.workspacesDir, stack }
  const ours = createServerBody(settings, asked)
  requireSame(given, ours)
  return { body: ours, root: policy.workspacesDir }
}

/** Of the environment only what was read from it is taken; what else it says is left out. */
const requireSame = (given: unknown, ours: ReturnType<typeof createBody>): void => {
  const differs = difference({ ...(given as object), Env: [] }, { ...JSON.parse(JSON.stringify(ours)), Env: [] })
  if (differs) throw new NotAdmitted(`${differs} is not as this installation sets it`)
}

/**
 * @returns the body to send, with the filter's own environment.
 * @throws NotAdmitted, naming what is not as a worker makes it: another image, mount, capability, namespace, limit, network.
 */
export const admitCreate = (policy: Policy, name: string | null, given: unknown): Admitted => {
  if (hasLabel(given, 'switchyard.server')) return admitServer(policy, name, given)
  if (hasLabel(given, 'switchyard.namespace')) return admitHolder(policy, name, given)
  const { Cmd, Env, Labels } = parse(bodySchema, given)
  const stack = Labels['switchyard.stack']
  const taskId = Labels['switchyard.task']
  const promptId = Labels['switchyard.prompt']
  if (name !== `switchyard-${stack}-${taskId}-${promptId}`.toLowerCase())
    throw new NotAdmitted('the name is not the one of its labels')
  const root = rootOf(policy, taskId)
  const permission = variable(Env, OWN_VARIABLE)
  const joins = joinedHolder(given)
  const ours = createBody(
    { ...policy.settings, stack },
    {
      taskId,
      generation: Number(Labels['switchyard.generation']),
      promptId,
      root,
      directory: path.join(root, 'work'),
      home: path.join(root, 'home'),
      promptFile: path.join(root, 'prompts', `${promptId}.txt`),
      args: Cmd,
      environment: permission === undefined ? {} : { [OWN_VARIABLE]: permission },
    },
    joins === undefined ? policy.way : { ...policy.way, network: joining(joins) },
  )
  requireSame(given, ours)
  return { body: ours, taskId, root, ...(joins === undefined ? {} : { joins }) }
}
