// The model gateway: has the providers' keys and calls the providers for OpenCode servers.

export { ModelGateway, type ModelGatewayOptions, type ServerAccess } from './model-gateway.ts'
export { type Logins, moveLogins } from './opencode-config/logins.ts'
export type { TokenCounts } from './usage/token-counts.ts'
export type { ModelCall } from './usage/usage.ts'
