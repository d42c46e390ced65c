// Schemas of texts from callers.

import { z } from 'zod'

// Text in Postgres cannot contain NUL.
export const hasNoNul = (text: string): boolean => !text.includes('\u0000')

/** Returns the schema of a text that is trimmed and not empty. @param max - maximum length, characters */
export const shortText = (max: number) => z.string().trim().min(1).max(max).refine(hasNoNul, 'contains a NUL character')
