// Selects the endpoint of a provider that a request is for.

import type { Endpoint, GatewayProvider, KeyHeader } from './provider.ts'

export type EndpointRequest = {
  readonly keyHeader: KeyHeader
  /** The SDK's path, such as `/chat/completions`. */
  readonly path: string
  /** The `model` of the body, where it is known. */
  readonly model?: string | undefined
}

export const matchEndpoint = (provider: GatewayProvider, request: EndpointRequest): Endpoint | undefined =>
  provider.endpoints.find(
    ({ keyHeader, path, model }) =>
      (keyHeader === undefined || keyHeader === request.keyHeader) &&
      (path === undefined || path.test(request.path)) &&
      (model === undefined || (request.model !== undefined && model.test(request.model))),
  )

/** Returns whether the body must be known before the provider can be called. */
export const needsBody = ({ endpoints }: GatewayProvider): boolean =>
  endpoints.some(({ model, credential }) => model !== undefined || credential.kind === 'signature')
