// The id of the project that a repository is, made from its key: nobody has to look it up.

import { createHash } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** `proj_` and 130 bits of the key's hash: the same repository has the same id in every process. */
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
