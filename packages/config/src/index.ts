// The environment, checked once, and the logger created from it.

export { type Config, isLoopback, isOurs, loadConfig, VARIABLES } from './config.ts'
export type { ApiKey } from './keys.ts'
export { createLogger, type Logger } from './logger.ts'
export type { MatrixSettings } from './matrix.ts'
export { TOOLSETS, type Toolset } from './settings/access.ts'
export { configurationPage, declaredSettings, envExample } from './settings/documents.ts'
export { warnOfWeakSecrets } from './weak-secrets.ts'
