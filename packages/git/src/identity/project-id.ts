// Derives a project's id from the key of its repository, so that no lookup is needed.

import { createHash } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Returns `proj_` and 130 bits of the key's hash: the same id for the same repository in every process. */
export const projectIdOf = (key: string): string => {
  const digest = createHash('sha256').update(key).digest()
  let bits = digest.readBigUInt64BE(0) * 2n ** 128n + digest.readBigUInt64BE(8) * 2n ** 64n + digest.readBigUInt64BE(16)
  let text = ''
  for (let at = 0; at < 26; at += 1) {
    text += ALPHABET[Number(bits & 31n)]
    bits >>= 5n
  }
  return `proj_${text}`
}
