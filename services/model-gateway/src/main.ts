// The gateway as a process, in the stack: node main.ts --server=<id>=<file with its token> …

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { SwitchyardError } from '@switchyard/contracts'
import { type RunContext, runMain } from '@switchyard/process'
import { Records } from '@switchyard/records'
import { type StartedGateway, startModelGateway } from './start-gateway.ts'

const { values } = parseArgs({ options: { url: { type: 'string' }, server: { type: 'string', multiple: true } } })

/** Limit of the whole shutdown, ms: answers in progress are cut off. */
const STOP_MS = 5_000

/** Splits at the last `=`: an id is a URL, which may contain one. */
const parseServer = (text: string): { readonly id: string; readonly file: string } => {
  const at = text.lastIndexOf('=')
  if (at > 0) return { id: text.slice(0, at), file: text.slice(at + 1) }
  throw new SwitchyardError('configuration_invalid', `--server=${text} is not <id>=<file>`)
}

/** Model calls do not wait for the database: what they use is counted once it is there. */
const recordWhenReady = async ({ config, logger, shutdown, signal }: RunContext, gateway: StartedGateway) => {
  if (config.databaseUrl === undefined) return
  const records = new Records({
    connectionString: config.databaseUrl,
    applicationName: 'switchyard-model-gateway',
    max: 2,
    onConnectionError: (error) => logger.warn({ err: error.message }, 'database connection lost'),
  })
  shutdown.add('database', STOP_MS, () => records.close())
  await records.untilReady({
    onWait: (error) => logger.warn({ err: error.message }, 'database unavailable; model usage is recorded later'),
    signal,
  })
  await records.migrate()
  gateway.record(records)
  shutdown.add('model usage', STOP_MS, gateway.stopRecording)
}

const start = async (context: RunContext): Promise<void> => {
  const { config, logger, shutdown, signal } = context
  const gateway = await startModelGateway({
    config,
    host: '0.0.0.0',
    port: config.gateway.port,
    loginsFile: path.join(config.home, 'opencode-auth.json'),
    logger,
    ...(values.url === undefined ? {} : { url: values.url }),
  })
  shutdown.add('gateway', STOP_MS, gateway.close)
  for (const { id, file } of (values.server ?? []).map(parseServer))
    await gateway.open(id, config.opencode.inherited, (await readFile(file, 'utf8')).trim())
  recordWhenReady(context, gateway).catch((error: unknown) => {
    if (!signal.aborted) logger.error({ err: error }, 'failed to prepare the database; model usage is not recorded')
  })
}

await runMain('model-gateway', { stopMs: STOP_MS, start })
