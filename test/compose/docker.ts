// Runs the docker command in tests, with a time limit and a minimal environment, and reports why it
// cannot.

import { execFile } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

/**
 * Returns the variables that docker itself needs. Any others could change how compose.yaml is
 * resolved.
 */
const dockerEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    ['PATH', 'HOME', 'DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'].flatMap(
      (name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]),
    ),
  )

export type RunOptions = {
  /** Time limit, ms; default one minute. */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Runs `docker …` in the repository. Returns its standard output.
 *
 * @throws Error with the command's output if it fails or exceeds the time limit
 */
export const docker = async (args: readonly string[], options: RunOptions = {}): Promise<string> => {
  try {
    const { stdout } = await execute('docker', args, {
      cwd: REPOSITORY,
      env: { ...dockerEnvironment(), ...options.env },
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

const reasonIfFails = async (args: readonly string[], reason: string): Promise<string | undefined> =>
  docker(args, { timeoutMs: 15_000 }).then(
    () => undefined,
    () => reason,
  )

/**
 * Returns the reason why tests that need Docker cannot run here, or undefined if they can.
 *
 * @throws Error with that reason if REQUIRE_DOCKER=1 is set
 */
export const dockerMissing = async (needs: 'compose' | 'engine'): Promise<string | undefined> => {
  const reason =
    (await reasonIfFails(['compose', 'version'], 'this machine has no docker command with the compose plugin')) ??
    (needs === 'engine' ? await reasonIfFails(['info'], 'no Docker engine answers on this machine') : undefined)
  if (reason && process.env.REQUIRE_DOCKER === '1') throw new Error(`REQUIRE_DOCKER=1 is set, but ${reason}`)
  return reason
}

/**
 * Returns the address of this host on the engine's default bridge. An engine reports no gateway for
 * it until it has restarted once; the bridge then has the first address of its network.
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
