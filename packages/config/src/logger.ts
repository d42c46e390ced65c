// The logger of every service: pino, one line an operation, secrets removed.

import { type DestinationStream, type Logger, pino } from 'pino'
import type { Config } from './config.ts'

export type { Logger } from 'pino'

const REDACTED = [
  'password',
  '*.password',
  'secret',
  '*.secret',
  'token',
  '*.token',
  'authorization',
  '*.authorization',
  '*.headers.authorization',
  'env',
  '*.env',
]

/**
 * @param service - `api`, `worker`, … : the field that distinguishes the services' logs.
 * @param destination - default: standard output.
 */
export const createLogger = (
  config: Pick<Config, 'log'>,
  service: string,
  destination: DestinationStream = pino.destination(1),
): Logger =>
  pino(
    {
      level: config.log.level,
      base: { service },
      redact: { paths: REDACTED, censor: '[removed]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
