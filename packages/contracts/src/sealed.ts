// Secrets that callers choose: they come sealed for the worker, so that neither the api nor the database can read them.

import { z } from 'zod'

export const offeredKeySchema = z.object({
  public_key: z.string().describe('PEM; an RSA key to seal one secret with'),
})
export type OfferedKey = z.infer<typeof offeredKeySchema>

export const sealedSecretSchema = z.object({
  sealed: z
    .string()
    .min(1)
    .max(100_000)
    .describe(
      'base64 of: a new key of 32 bytes, encrypted by RSA-OAEP (SHA-256) with the key that was offered; a nonce of 12 bytes; the secret, encrypted by AES-256-GCM with the new key and the nonce; its tag of 16 bytes',
    ),
})
