// `npm start`: the process. Signals and what a person reads; everything else is in start.ts.

import { readFileSync } from 'node:fs'
import { loadConfig } from '@switchyard/config'
import { isSwitchyardError, type SwitchyardError } from '@switchyard/contracts'
import { banner } from './banner.ts'
import { startEmbedded } from './start.ts'

/** Whoever waits at the terminal is told within 5 s where it listens, on a busy machine too. */
const OPENCODE_WAIT_MS = 3_500

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Message and hint where the reader can do something; the stack only where it is a fault of ours. */
const explain = (error: unknown): string => {
  if (isSwitchyardError(error) && error.code !== 'internal_error') return `${error.message}\n${error.hint}\n`
  return `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`
}

const readVersion = (): string => {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return manifest.version
}

/** The same `.env` as the stack's, where there is one; what the environment says itself comes first. */
const loadEnvFile = (): void => {
  try {
    process.loadEnvFile()
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isMissing) throw error
  }
}

const main = async (): Promise<void> => {
  const starting = new AbortController()
  const ending = Promise.withResolvers<{ readonly error?: unknown }>()

  for (const signal of SIGNALS)
    process.on(signal, () => {
      // The second one means "now": the guards of PostgreSQL and OpenCode end them when we are gone.
      if (starting.signal.aborted) process.exit(1)
      process.stderr.write(`\n${signal}: stopping; once more to stop at once\n`)
      starting.abort()
      ending.resolve({})
    })
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error: unknown) => {
      // A second fault, or one while stopping, must not wait for what may no longer work.
      if (starting.signal.aborted) process.exit(1)
      ending.resolve({ error })
      starting.abort()
    })

  loadEnvFile()
  const config = loadConfig()
  const onFatal = (error: SwitchyardError) => ending.resolve({ error })
  const options = { config, signal: starting.signal, onFatal, opencodeWaitMs: OPENCODE_WAIT_MS }
  const switchyard = await startEmbedded(options).catch((error: unknown) => {
    if (!starting.signal.aborted) throw error
    return undefined
  })
  if (switchyard === undefined) {
    const { error } = await ending.promise
    if (error !== undefined) throw error
    return
  }
  const { url, providers } = switchyard
  process.stdout.write(
    banner({
      version: readVersion(),
      // Since the process began: loading the program is part of what a person waits for.
      startedInMs: performance.now(),
      url,
      providers,
      hasKeys: config.api.keys.length > 0,
      isProduction: config.isProduction,
      defaultModel: config.tasks.defaultModel,
      home: config.home,
    }),
  )
  const { error } = await ending.promise
  starting.abort()
  await switchyard.close()
  if (error !== undefined) throw error
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(explain(error))
    process.exit(1)
  },
)
