// Texts of callers, as their schemas have them.

import { z } from 'zod'

// Postgres text holds no NUL.
export const hasNoNul = (text: string): boolean => !text.includes('\u0000')

/** Trimmed, not empty. @param max - characters */
export const shortText = (max: number) => z.string().trim().min(1).max(max).refine(hasNoNul, 'contains a NUL character')
