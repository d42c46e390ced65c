// Google's access tokens, from application default credentials.

import { GoogleAuth } from 'google-auth-library'
import type { Credential } from '../providers/provider.ts'

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'

/**
 * Returns a credential that fetches access tokens and renews them before they expire.
 *
 * @param keyFile - a file with credentials. Default: Google's own search order.
 */
export const googleToken = (keyFile: string | undefined): Credential => {
  const auth = new GoogleAuth({ scopes: [SCOPE], ...(keyFile === undefined ? {} : { keyFilename: keyFile }) })
  return {
    kind: 'token',
    token: async () => {
      const token = await auth.getAccessToken()
      if (token) return token
      throw new Error('Google issued no access token')
    },
  }
}
