// A file of certificates (PEM), looked at when it is named and not at the first fetch.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'

/** Its absolute path; undefined where none is named. An empty file counts as none: the stack mounts one where none is named. */
export const certificatesFile = z
  .string()
  .optional()
  .transform((given, context): string | undefined => {
    const name = given?.trim() ?? ''
    if (name === '') return undefined
    try {
      const text = readFileSync(name, 'utf8')
      if (text === '') return undefined
      if (!/-----BEGIN (?:TRUSTED )?CERTIFICATE-----/.test(text))
        context.addIssue({ code: 'custom', message: 'names a file that holds no certificate (PEM)' })
      return path.resolve(name)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : 'unknown error'
      context.addIssue({ code: 'custom', message: `cannot be read: ${code}` })
      return undefined
    }
  })
