// A file of certificates (PEM), looked at when it is named and not at the first fetch.

import path from 'node:path'
import { z } from 'zod'
import { readNamedFile } from './named-file.ts'

/** Its absolute path; undefined where none is named. An empty file counts as none: the stack mounts one where none is named. */
export const certificatesFile = z
  .string()
  .optional()
  .transform((file, context): string | undefined => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message })
    const text = readNamedFile(file, refuse)
    if (file === undefined || text === undefined || text === '') return undefined
    if (!/-----BEGIN (?:TRUSTED )?CERTIFICATE-----/.test(text)) refuse('names a file that holds no certificate (PEM)')
    return path.resolve(file.trim())
  })
