// Secrets that callers choose. They are encrypted for the worker, so that neither the api nor the database can read them.

import { z } from 'zod'

export const offeredKeySchema = z.object({
  public_key: z.string().describe('RSA public key (PEM) that encrypts one secret'),
})
export type OfferedKey = z.infer<typeof offeredKeySchema>

export const sealedSecretSchema = z.object({
  sealed: z
    .string()
    .min(1)
    .max(100_000)
    .describe(
      'Base64 of: a random 32-byte key, encrypted with the public key (RSA-OAEP, SHA-256); a 12-byte nonce; the secret, encrypted with that key and nonce (AES-256-GCM); the 16-byte tag',
    ),
})
