// The environment, checked once, and the logger made from it.

export { type Config, isLoopback, isOurs, loadConfig, TOOLSETS, type Toolset, VARIABLES } from './config.ts'
export type { ApiKey } from './keys.ts'
export { createLogger, type Logger } from './logger.ts'
export type { MatrixSettings } from './matrix.ts'
export { warnOfWeakSecrets } from './weak-secrets.ts'
