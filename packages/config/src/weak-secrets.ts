// Logs in development what would stop the start in production.

import type { Config } from './config.ts'
import type { Logger } from './logger.ts'

/** Writes one log line that contains no secret. */
export const warnOfWeakSecrets = ({ weakSecrets }: Pick<Config, 'weakSecrets'>, logger: Pick<Logger, 'warn'>): void => {
  if (weakSecrets.length > 0)
    logger.warn({ weak: weakSecrets }, 'weak secrets; NODE_ENV=production refuses to start with them')
}
