// Says in development what production would refuse.

import type { Config } from './config.ts'
import type { Logger } from './logger.ts'

/** One line in the log, without any secret. */
export const warnOfWeakSecrets = ({ weakSecrets }: Pick<Config, 'weakSecrets'>, logger: Pick<Logger, 'warn'>): void => {
  if (weakSecrets.length > 0)
    logger.warn(
      { weak: weakSecrets },
      'secrets that are none: in production (NODE_ENV=production) they would stop the start',
    )
}
