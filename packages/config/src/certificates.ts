// A PEM file of certificates, checked at start rather than at the first fetch.

import path from 'node:path'
import { z } from 'zod'
import { readNamedFile } from './named-file.ts'

/** Returns the absolute path; undefined when unset. An empty file counts as unset, because the stack mounts one then. */
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
