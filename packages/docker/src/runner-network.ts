// The containers' network where nobody gives us one: no way out of it, no address of the host in it, and one proxy that
// leads to the internet alone.

import path from 'node:path'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import type { RunnerNetwork } from './container-spec.ts'
import { call, createContainer, statusOf } from './engine.ts'
import { NOT_OF_COMPOSE, STACK } from './labels.ts'

/** Not `switchyard.task`: it belongs to no task, and is not cleared away with them. */
const EGRESS = 'switchyard.egress'
const PORT = 3128
const ALIAS = 'egress'

export type RunnerNetworkOptions = {
  readonly docker: Docker
  readonly stack: string
  /** Of the proxy: any with Node 24. */
  readonly image: string
  /** `host:port`. */
  readonly allow: readonly string[]
  /** Addresses and networks. */
  readonly deny: readonly string[]
  readonly logger: Logger
}

const isThere = async (look: () => Promise<unknown>): Promise<boolean> => {
  try {
    await look()
    return true
  } catch (error) {
    if (statusOf(error) === 404) return false
    throw error
  }
}

const makeNetwork = async (docker: Docker, name: string, stack: string): Promise<void> => {
  if (await isThere(() => call('looking for the network', () => docker.getNetwork(name).inspect()))) return
  await call('making the network', () =>
    docker.createNetwork({
      Name: name,
      CheckDuplicate: true,
      Driver: 'bridge',
      Internal: true,
      // The bridge has no address: the host's own services are not neighbours.
      Options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
      Labels: { [STACK]: stack },
    }),
  ).catch((error: unknown) => {
    // Another worker was quicker.
    if (statusOf(error) !== 409) throw error
  })
}

const argumentsOf = ({ allow, deny }: RunnerNetworkOptions): readonly string[] => [
  `--port=${PORT}`,
  `--allow=${allow.join(',')}`,
  `--deny=${deny.join(',')}`,
]

const egressBody = (options: RunnerNetworkOptions): Docker.ContainerCreateOptions => ({
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

const makeEgress = async (options: RunnerNetworkOptions, network: string): Promise<void> => {
  const { docker, stack, logger } = options
  const name = `${network}-egress`
  const container = docker.getContainer(name)
  const found = await call('looking for the way out', () => container.inspect()).catch((error: unknown) => {
    if (statusOf(error) === 404) return undefined
    throw error
  })
  if (found?.State.Running && found.Config.Labels[EGRESS] === argumentsOf(options).join(' ')) return
  if (found) await call('removing an old way out', () => container.remove({ force: true }))
  await call('making the way out', () => createContainer(docker, name, egressBody(options))).catch((error: unknown) => {
    if (statusOf(error) !== 409) throw error
  })
  await call('joining the network', () =>
    docker.getNetwork(network).connect({ Container: name, EndpointConfig: { Aliases: [ALIAS] } }),
  ).catch((error: unknown) => {
    // It is in it: another worker was quicker.
    if (statusOf(error) !== 403 && statusOf(error) !== 409) throw error
  })
  await call('starting the way out', () => container.start())
  logger.info({ stack, network }, 'the runners’ way out is open')
}

/** Makes network and proxy, or finds them. @throws SwitchyardError as `call` */
export const createRunnerNetwork = async (options: RunnerNetworkOptions): Promise<RunnerNetwork> => {
  const network = `switchyard-${options.stack}-runner`
  await makeNetwork(options.docker, network, options.stack)
  await makeEgress(options, network)
  return { network, proxy: `http://${ALIAS}:${PORT}` }
}

/** Takes away what `createRunnerNetwork` made. Containers in the network must have gone. */
export const removeRunnerNetwork = async (docker: Docker, stack: string): Promise<void> => {
  const network = `switchyard-${stack}-runner`
  for (const remove of [
    () => docker.getContainer(`${network}-egress`).remove({ force: true }),
    () => docker.getNetwork(network).remove(),
  ])
    await call('taking the way out away', remove).catch((error: unknown) => {
      if (statusOf(error) !== 404) throw error
    })
}
