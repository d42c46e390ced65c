// Generates a webhook secret for development, once, and stores it in the home.

import { randomBytes } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Config, Logger } from '@switchyard/config'

const WEBHOOK_SECRET_FILE = 'webhook-secret'

/** Returns the configuration with a webhook secret. In production one is required, so none is generated. */
export const withWebhookSecret = async (config: Config, logger: Logger): Promise<Config> => {
  if (config.webhooks.secret !== undefined) return config
  const file = path.join(config.home, WEBHOOK_SECRET_FILE)
  const fresh = `${file}.new`
  if ((await readFile(file, 'utf8').catch(() => '')).trim() === '') {
    await rm(file, { force: true })
    await writeFile(fresh, `whsec_${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
    // Linking creates the file with its content or not at all.
    await link(fresh, file)
    await rm(fresh)
    logger.info({ file }, 'WEBHOOK_SECRET is not set; generated one for development')
  }
  return { ...config, webhooks: { ...config.webhooks, secret: (await readFile(file, 'utf8')).trim() } }
}
