// Amazon's request signatures (Signature Version 4).

import { defaultProvider } from '@aws-sdk/credential-provider-node'
import { AwsV4Signer } from 'aws4fetch'
import type { Credential } from '../providers/provider.ts'

export type AmazonCredentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** Headers that a proxy or the client library may change, so that they are not signed. */
const SIGNED_HEADERS = ['content-type', 'accept']

/**
 * Returns a credential that signs requests.
 *
 * @param service - the service's name in the signature: `bedrock` or `bedrock-mantle`.
 */
export const amazonSignature = (options: {
  readonly service: string
  readonly region: string
  readonly credentials: () => Promise<AmazonCredentials>
}): Credential => ({
  kind: 'signature',
  sign: async ({ method, url, headers, body }) => {
    const { accessKeyId, secretAccessKey, sessionToken } = await options.credentials()
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: Object.entries(headers).filter(([name]) => SIGNED_HEADERS.includes(name)),
      body: new Uint8Array(body),
      service: options.service,
      region: options.region,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    })
    const signed = await signer.sign()
    return Object.fromEntries(signed.headers)
  },
})

/**
 * Returns the credentials of the default chain: variables, shared files, SSO, web identity, container and instance
 * metadata. They are renewed before they expire.
 *
 * @param profile - a profile of the shared files.
 */
export const amazonDefaultCredentials = (profile: string | undefined): (() => Promise<AmazonCredentials>) =>
  defaultProvider(profile === undefined ? {} : { profile })
