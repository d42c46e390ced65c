// The docker command for tests: bounded, with an environment of its own, and a plain reason where there is no engine.

import { execFile } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

/** What docker itself needs of the caller's environment; everything else could change what compose.yaml means. */
const ownEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    ['PATH', 'HOME', 'DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'].flatMap(
      (name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]),
    ),
  )

export type RunOptions = {
  /** Milliseconds; default one minute. */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Runs `docker …` in the repository and gives its standard output.
 *
 * @throws Error with the command's own output when it fails or takes too long.
 */
export const docker = async (args: readonly string[], options: RunOptions = {}): Promise<string> => {
  try {
    const { stdout } = await execute('docker', args, {
      cwd: REPOSITORY,
      env: { ...ownEnvironment(), ...options.env },
      timeout: options.timeoutMs ?? 60_000,
      killSignal: 'SIGKILL',
      maxBuffer: 64 * 1024 * 1024,
    })
    return stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(
      `docker ${args.join(' ')} failed: ${String(error)}\n${stdout.slice(-4_000)}\n${stderr.slice(-8_000)}`,
    )
  }
}

const reasonFor = async (args: readonly string[], reason: string): Promise<string | undefined> =>
  docker(args, { timeoutMs: 15_000 }).then(
    () => undefined,
    () => reason,
  )

/**
 * Why tests that need this cannot run here; undefined where they can.
 *
 * @throws Error with that reason where REQUIRE_DOCKER=1 says that they must.
 */
export const dockerMissing = async (needs: 'compose' | 'engine'): Promise<string | undefined> => {
  const reason =
    (await reasonFor(['compose', 'version'], 'no docker command with the compose plugin on this machine')) ??
    (needs === 'engine' ? await reasonFor(['info'], 'no Docker engine answers on this machine') : undefined)
  if (reason && process.env.REQUIRE_DOCKER === '1') throw new Error(`REQUIRE_DOCKER=1, and there is ${reason}`)
  return reason
}

/**
 * Returns the address of this host on the engine's default bridge. An engine reports no gateway for it until it has
 * restarted once; the bridge then has the first address of its network.
 */
export const bridgeAddress = async (): Promise<string> => {
  const [config] = JSON.parse(
    await docker(['network', 'inspect', 'bridge', '-f', '{{json .IPAM.Config}}']),
  ) as readonly {
    readonly Subnet: string
    readonly Gateway?: string
  }[]
  if (!config) throw new Error('the default bridge of the Docker engine has no network')
  return config.Gateway ?? config.Subnet.replace(/\.\d+\/\d+$/, '.1')
}
