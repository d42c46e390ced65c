// A whole Switchyard for a test file: api, worker and notifier over HTTP, a real OpenCode server
// and the scripted model.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { loadConfig } from '@switchyard/config'
import { type Embedded, startEmbedded } from '@switchyard/embedded'
import {
  createConfigDirectory,
  createDatabase,
  OWN_MODELS_ONLY,
  opencodeConfig,
  type ScriptedModel,
  startRedis,
  startScriptedModel,
} from '@switchyard/testing'
import { pino } from 'pino'
import { type Caller, createCaller } from '../compose/caller.ts'

export type Backend = 'postgres' | 'redis'

export type System = {
  readonly url: string
  readonly caller: Caller
  readonly model: ScriptedModel
  readonly switchyard: Embedded
  readonly home: string
  readonly databaseUrl: string
  readonly close: () => Promise<void>
}

/**
 * @param env - more variables, as an operator would set them.
 * @param opencode - more OpenCode configuration.
 */
export const startSystem = async (
  backend: Backend,
  env: Readonly<Record<string, string>> = {},
  opencode: object = {},
): Promise<System> => {
  const closing: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const step of closing.splice(0).reverse()) await step()
  }
  try {
    const home = await mkdtemp(path.join(tmpdir(), 'switchyard-test-'))
    closing.push(() => rm(home, { recursive: true, force: true }))
    await createConfigDirectory(path.join(home, '.config'))
    const database = await createDatabase()
    closing.push(database.drop)
    const redis = backend === 'redis' ? await startRedis() : undefined
    if (redis) closing.push(redis.stop)
    const model = await startScriptedModel()
    closing.push(model.close)
    const config = loadConfig({
      PATH: process.env.PATH,
      HOME: home,
      PORT: '0',
      SWITCHYARD_HOME: home,
      DATABASE_URL: database.url,
      REDIS_URL: redis?.url,
      OPENCODE_CONFIG_CONTENT: JSON.stringify({ ...opencodeConfig(model.url), ...opencode }),
      ...OWN_MODELS_ONLY,
      ...env,
    })
    const logger = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })
    const switchyard = await startEmbedded({ config, logger })
    closing.push(() => switchyard.close())
    return {
      url: switchyard.url,
      caller: createCaller(switchyard.url),
      model,
      switchyard,
      home,
      databaseUrl: database.url,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
