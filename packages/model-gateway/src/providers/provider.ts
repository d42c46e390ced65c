// A provider as the gateway calls it.

/** The header in which an SDK sends its key. */
export const KEY_HEADERS = ['authorization', 'x-api-key', 'x-goog-api-key', 'api-key'] as const
export type KeyHeader = (typeof KEY_HEADERS)[number]

type SignedRequest = {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** What proves to the provider who calls. */
export type Credential =
  /** Goes into the header in which the SDK sent the gateway's token. */
  | { readonly kind: 'key'; readonly key: string }
  /** A provider that needs no key, or one that the operator's own headers carry. */
  | { readonly kind: 'none' }
  /** Fetched and renewed by the gateway, and sent as a bearer token. */
  | { readonly kind: 'token'; readonly token: () => Promise<string> }
  /** Signs the whole request, body included. Returns the headers to add. */
  | {
      readonly kind: 'signature'
      readonly sign: (request: SignedRequest) => Promise<Readonly<Record<string, string>>>
    }

export type Endpoint = {
  /** Absolute, without a trailing slash. The SDK's path is appended. */
  readonly baseUrl: string
  readonly credential: Credential
  /** Matches requests whose token came in this header. Absent: any. */
  readonly keyHeader?: KeyHeader
  /** Matches the SDK's path. Absent: any. */
  readonly path?: RegExp
  /** Matches the `model` of the request's body. Absent: any. */
  readonly model?: RegExp
  /** Parameters that the SDK adds only for the provider's own address. */
  readonly query?: Readonly<Record<string, string>>
}

export type GatewayProvider = {
  readonly id: string
  /** The first one that matches is called. */
  readonly endpoints: readonly Endpoint[]
  /** Headers that the operator configured. They replace those of the request. */
  readonly headers: Readonly<Record<string, string>>
  /** Options that OpenCode needs in addition to the address and the token. They contain no secret. */
  readonly options: Readonly<Record<string, unknown>>
  /** The SDK insists on a token of Google's, so it is given credentials that it exchanges for one at the gateway. */
  readonly exchangesToken?: boolean
  /**
   * The variable that makes OpenCode treat the provider as one with a key from the environment or a login: only such
   * providers get OpenCode's own adjustments, such as Anthropic's beta headers.
   */
  readonly keyVariable?: string
}

export type ProviderProblem = { readonly provider: string; readonly reason: string }
