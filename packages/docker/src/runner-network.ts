// The network of task containers, for installations where Compose does not provide one: no route to the internet or the
// host, except through one egress proxy.

import path from 'node:path'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import { call, createContainer, statusOf } from './engine.ts'
import { NOT_OF_COMPOSE, STACK } from './labels.ts'
import type { RunnerNetwork } from './task-container.ts'

/** The proxy has this label instead of `switchyard.task`, so that it is not removed with a task's containers. */
const EGRESS = 'switchyard.egress'
const PORT = 3128
const ALIAS = 'egress'

export type RunnerNetworkOptions = {
  readonly docker: Docker
  readonly stack: string
  /** The image of the proxy: any with Node 24. */
  readonly image: string
  /** `host:port` entries that are reachable although they are not public. */
  readonly allow: readonly string[]
  /** Public addresses and networks that are not reachable. */
  readonly deny: readonly string[]
  readonly logger: Logger
}

const exists = async (inspect: () => Promise<unknown>): Promise<boolean> => {
  try {
    await inspect()
    return true
  } catch (error) {
    if (statusOf(error) === 404) return false
    throw error
  }
}

const createNetwork = async (docker: Docker, name: string, stack: string): Promise<void> => {
  if (await exists(() => call('inspect the network of tasks', () => docker.getNetwork(name).inspect()))) return
  await call('create the network of tasks', () =>
    docker.createNetwork({
      Name: name,
      CheckDuplicate: true,
      Driver: 'bridge',
      Internal: true,
      // Without an address of the bridge, containers cannot reach the host's own services.
      Options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
      Labels: { [STACK]: stack },
    }),
  ).catch((error: unknown) => {
    // Another worker created it first.
    if (statusOf(error) !== 409) throw error
  })
}

const argumentsOf = ({ allow, deny }: RunnerNetworkOptions): readonly string[] => [
  `--port=${PORT}`,
  `--allow=${allow.join(',')}`,
  `--deny=${deny.join(',')}`,
]

const proxyBody = (options: RunnerNetworkOptions): Docker.ContainerCreateOptions => ({
  Image: options.image,
  User: '1000:1000',
  Entrypoint: ['node', '/egress/main.ts', ...argumentsOf(options)],
  Labels: { [STACK]: options.stack, [EGRESS]: argumentsOf(options).join(' '), ...NOT_OF_COMPOSE },
  Healthcheck: { Test: ['NONE'] },
  HostConfig: {
    Init: true,
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges:true'],
    NanoCpus: 1e9,
    Memory: 256 * 1_048_576,
    MemorySwap: 256 * 1_048_576,
    PidsLimit: 64,
    RestartPolicy: { Name: 'unless-stopped' },
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    Mounts: [{ Type: 'bind', Source: path.join(import.meta.dirname, 'egress'), Target: '/egress', ReadOnly: true }],
  },
})

const startProxy = async (options: RunnerNetworkOptions, network: string): Promise<void> => {
  const { docker, stack, logger } = options
  const name = `${network}-egress`
  const container = docker.getContainer(name)
  const found = await call('inspect the egress proxy', () => container.inspect()).catch((error: unknown) => {
    if (statusOf(error) === 404) return undefined
    throw error
  })
  if (found?.State.Running && found.Config.Labels[EGRESS] === argumentsOf(options).join(' ')) return
  if (found) await call('remove the old egress proxy', () => container.remove({ force: true }))
  await call('create the egress proxy', () => createContainer(docker, name, proxyBody(options))).catch(
    (error: unknown) => {
      if (statusOf(error) !== 409) throw error
    },
  )
  await call('connect the egress proxy to the network of tasks', () =>
    docker.getNetwork(network).connect({ Container: name, EndpointConfig: { Aliases: [ALIAS] } }),
  ).catch((error: unknown) => {
    // Another worker connected it first.
    if (statusOf(error) !== 403 && statusOf(error) !== 409) throw error
  })
  await call('start the egress proxy', () => container.start())
  logger.info({ stack, network }, 'egress proxy of task containers started')
}

/** Creates the network and the proxy, unless they exist. @throws SwitchyardError as `call` */
export const createRunnerNetwork = async (options: RunnerNetworkOptions): Promise<RunnerNetwork> => {
  const network = `switchyard-${options.stack}-runner`
  await createNetwork(options.docker, network, options.stack)
  await startProxy(options, network)
  return { network, proxy: `http://${ALIAS}:${PORT}` }
}

/** Removes what `createRunnerNetwork` created. No container may be left in the network. */
export const removeRunnerNetwork = async (docker: Docker, stack: string): Promise<void> => {
  const network = `switchyard-${stack}-runner`
  const removals: readonly [string, () => Promise<unknown>][] = [
    ['remove the egress proxy', () => docker.getContainer(`${network}-egress`).remove({ force: true })],
    ['remove the network of tasks', () => docker.getNetwork(network).remove()],
  ]
  for (const [what, remove] of removals)
    await call(what, remove).catch((error: unknown) => {
      if (statusOf(error) !== 404) throw error
    })
}
