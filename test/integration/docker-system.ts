// Switchyard in Docker mode for a test file: real containers of the real image, and the scripted
// model within their reach.

import { networkInterfaces } from 'node:os'
import { opencodeConfig, type ScriptedModel, startScriptedModel } from '@switchyard/testing'
import { docker, dockerMissing } from '../compose/docker.ts'
import { type Backend, type System, startSystem } from './system.ts'

export const IMAGE = 'switchyard/opencode:1.18.33'

/**
 * Returns why no such system can run here. With REQUIRE_DOCKER=1 it never does, and the tests fail
 * instead.
 */
export const whyNoContainers = async (): Promise<string | undefined> => {
  const missing = await dockerMissing('engine')
  if (missing) return missing
  const isThere = await docker(['image', 'inspect', IMAGE]).then(
    () => true,
    () => false,
  )
  if (!isThere && process.env.REQUIRE_DOCKER !== '1') return `the image ${IMAGE} is not built on this machine`
  if (!isThere) await docker(['build', '-f', 'Dockerfile.opencode', '-t', IMAGE, '.'], { timeoutMs: 9 * 60_000 })
  return undefined
}

export type ContainerModel = ScriptedModel & {
  /** Settings that let a container reach the model. */
  readonly env: Readonly<Record<string, string>>
}

/** Starts the scripted model on the address that containers use for this machine. */
export const startContainerModel = async (): Promise<ContainerModel> => {
  const gateway = networkInterfaces().docker0?.find(({ family }) => family === 'IPv4')?.address ?? '172.17.0.1'
  const model = await startScriptedModel({ host: '0.0.0.0' })
  const { port } = new URL(model.url)
  return {
    ...model,
    env: {
      EGRESS_ALLOW: `${gateway}:${port}`,
      OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig(`http://${gateway}:${port}`)),
    },
  }
}

export type DockerSystem = System & { readonly model: ContainerModel }

export const startDockerSystem = async (
  backend: Backend,
  env: Readonly<Record<string, string>> = {},
): Promise<DockerSystem> => {
  const model = await startContainerModel()
  try {
    const system = await startSystem(backend, { OPENCODE_SERVER_ENABLED: 'false', ...model.env, ...env })
    return {
      ...system,
      model,
      close: async () => {
        await system.close()
        await model.close()
      },
    }
  } catch (error) {
    await model.close()
    throw error
  }
}

/** Returns the containers of a task, as the engine describes them. */
export const containersOf = async (taskId: string): Promise<readonly Inspected[]> => {
  const ids = (await docker(['ps', '--all', '--quiet', '--filter', `label=switchyard.task=${taskId}`])).split('\n')
  const there = ids.filter((id) => id !== '')
  return there.length === 0 ? [] : (JSON.parse(await docker(['inspect', ...there])) as Inspected[])
}

export type Inspected = {
  readonly Id: string
  readonly Path: string
  readonly Args: readonly string[]
  readonly State: { readonly Status: string }
  readonly Config: {
    readonly User: string
    readonly Env: readonly string[]
    readonly Labels: Readonly<Record<string, string>>
  }
  readonly HostConfig: Readonly<Record<string, unknown>>
  readonly Mounts: readonly { readonly Source: string; readonly RW: boolean }[]
}
