// `npm start`: the process, its signals and what a person reads on the terminal.

import { readFileSync } from 'node:fs'
import { loadConfig } from '@switchyard/config'
import { systemErrorCode } from '@switchyard/contracts'
import { type Lifetime, runUntilStopped } from '@switchyard/process'
import { banner } from './banner.ts'
import { startEmbedded } from './start.ts'

/** The banner must appear within 5 s, on a busy machine too; OpenCode may become ready later. */
const OPENCODE_WAIT_MS = 3_500

const readVersion = (): string => {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return manifest.version
}

/** Loads `.env` if it exists. Variables that are set already take precedence. */
const loadEnvFile = (): void => {
  try {
    process.loadEnvFile()
  } catch (error) {
    const isMissing = systemErrorCode(error) === 'ENOENT'
    if (!isMissing) throw error
  }
}

const start = async ({ signal, fail }: Lifetime) => {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error: unknown) => {
      // A second fault, or one during the stop, may mean that stopping cannot finish any more.
      if (signal.aborted) process.exit(1)
      fail(error)
    })
  loadEnvFile()
  const config = loadConfig()
  const switchyard = await startEmbedded({ config, signal, onFatal: fail, opencodeWaitMs: OPENCODE_WAIT_MS })
  const { url, providers, sandbox } = switchyard
  process.stdout.write(
    banner({
      version: readVersion(),
      // From the start of the process: a person also waits while the program loads.
      startedInMs: performance.now(),
      url,
      providers,
      hasKeys: config.api.keys.length > 0,
      isProduction: config.isProduction,
      defaultModel: config.tasks.defaultModel,
      home: config.home,
      noSandbox: sandbox.isAvailable ? undefined : sandbox.reason,
    }),
  )
  return async () => {
    await switchyard.close()
    return true
  }
}

await runUntilStopped({
  signals: ['SIGINT', 'SIGTERM', 'SIGHUP'],
  // After the second signal the guard processes stop PostgreSQL and OpenCode.
  onSignal: (signal) => process.stderr.write(`\n${signal}: stopping; press Ctrl-C again to stop immediately\n`),
  start,
})
