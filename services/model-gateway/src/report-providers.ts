// Logs which providers a server has, and which ones the gateway cannot call.

import type { Logger } from '@switchyard/config'
import type { ServerAccess } from '@switchyard/model-gateway'

export type ProviderReport = {
  readonly serverId: string
  readonly access: ServerAccess
  /** Providers with an OAuth login in OpenCode. */
  readonly oauth: readonly string[]
  readonly direct: readonly string[]
  readonly logger: Logger
}

export const reportProviders = ({ serverId, access, oauth, direct, logger }: ProviderReport): void => {
  const facts = { server_id: serverId }
  for (const { provider, reason } of access.problems)
    logger.warn(
      { ...facts, provider, reason },
      'model gateway cannot call a configured provider; OpenCode does not get its key unless OPENCODE_DIRECT_PROVIDERS lists it',
    )
  for (const provider of oauth)
    if (!access.providers.includes(provider))
      logger.warn(
        { ...facts, provider },
        'OpenCode login uses OAuth, which only OpenCode can renew; its token stays in OpenCode, where agents can read it',
      )
  if (access.providers.length + oauth.length + direct.length > 0)
    logger.info({ ...facts, providers: access.providers, direct }, 'model gateway opened for OpenCode server')
  else
    logger.warn(
      facts,
      "no model provider is configured; tasks are refused with no_model_configured. Set a provider's key, or OPENCODE_DIRECT_PROVIDERS=opencode for OpenCode's hosted models",
    )
}
