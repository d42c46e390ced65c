// Starts a real OpenCode server with the scripted model for a test, in a temporary home directory.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createOpencodeClient, type OpencodeClient } from '@opencode-ai/sdk/v2'
import { rgPath } from '@vscode/ripgrep'
import { opencodeConfig } from './opencode-config.ts'
import { createConfigDirectory } from './opencode-config-directory.ts'

export type OpenCodeProcess = {
  readonly url: string
  readonly password: string
  readonly pid: number
  /** Returns a client for a directory. */
  readonly client: (directory: string) => OpencodeClient
  /** Stops sessions, tools and the server, and removes its data. */
  readonly close: () => Promise<void>
}

const START_MS = 30_000
const STOP_MS = 5_000

/**
 * Starts the `opencode-ai` binary on a free port. Resolves when it listens.
 *
 * @throws Error with the server's output if it exits, or does not listen within 30 s
 */
export const startOpenCode = async (options: {
  readonly modelUrl: string
  /**
   * Further environment variables. By default the server is offline and does not use the user's
   * home.
   */
  readonly env?: Readonly<Record<string, string>>
}): Promise<OpenCodeProcess> => {
  const home = await mkdtemp(join(tmpdir(), 'switchyard-opencode-'))
  await createConfigDirectory(join(home, 'config'))
  const password = crypto.randomUUID()
  const child = spawn(binaryPath(), ['serve', '--hostname', '127.0.0.1', '--port', '0'], {
    cwd: home,
    env: { ...environment(home, options.modelUrl), ...options.env, OPENCODE_SERVER_PASSWORD: password },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const removeHome = () => rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  const url = await listening(child).catch(async (error: unknown) => {
    child.kill('SIGKILL')
    await removeHome()
    throw error
  })
  const headers = { authorization: `Basic ${Buffer.from(`opencode:${password}`).toString('base64')}` }
  return {
    url,
    password,
    pid: child.pid ?? 0,
    client: (directory) => createOpencodeClient({ baseUrl: url, directory, headers }),
    close: async () => {
      // SIGTERM alone does not stop running tools.
      await fetch(`${url}/global/dispose`, { method: 'POST', headers, signal: AbortSignal.timeout(STOP_MS) }).catch(
        () => undefined,
      )
      await stop(child)
      await removeHome()
    },
  }
}

const require = createRequire(import.meta.url)
const binaryPath = (): string => join(dirname(require.resolve('opencode-ai/package.json')), 'bin', 'opencode.exe')

const environment = (home: string, modelUrl: string): NodeJS.ProcessEnv => ({
  PATH: [dirname(rgPath), dirname(process.execPath), process.env.PATH].join(delimiter),
  HOME: home,
  XDG_DATA_HOME: join(home, 'data'),
  XDG_STATE_HOME: join(home, 'state'),
  XDG_CACHE_HOME: join(home, 'cache'),
  XDG_CONFIG_HOME: join(home, 'config'),
  OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig(modelUrl)),
  // Switchyard sets it too: without it, a server that runs for long hangs at the kernel's limit of
  // memory mappings.
  Malloc: '1',
  OPENCODE_DISABLE_MODELS_FETCH: '1',
  OPENCODE_DISABLE_AUTOUPDATE: '1',
  OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
  OPENCODE_DISABLE_SHARE: '1',
})

const listening = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let output = ''
    const timer = setTimeout(() => reject(new Error(`opencode did not start in ${START_MS} ms: ${output}`)), START_MS)
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      finish()
    }
    const read = (data: Buffer) => {
      output = `${output}${data}`.slice(-4_000)
      const url = /listening on (http:\S+)/.exec(output)?.[1]
      if (url !== undefined) settle(() => resolve(url))
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('error', (error) => settle(() => reject(error)))
    child.once('exit', (code) => settle(() => reject(new Error(`opencode exited with ${code}: ${output}`))))
  })

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(timer)
}
