// Finds the gateway's token in a request: each SDK sends its key in a header of its own.

import { KEY_HEADERS, type KeyHeader } from './providers/provider.ts'

export type PresentedToken = { readonly token: string; readonly keyHeader: KeyHeader }

export const presentedToken = (headers: Headers): PresentedToken | undefined => {
  for (const keyHeader of KEY_HEADERS) {
    const value = headers.get(keyHeader)
    if (!value) continue
    const token = keyHeader === 'authorization' ? /^Bearer (\S+)$/i.exec(value)?.[1] : value
    if (token) return { token, keyHeader }
  }
  return undefined
}
