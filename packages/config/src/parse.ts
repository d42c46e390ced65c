// Small zod pieces that read one environment variable each; an unset or empty variable is undefined.

import { z } from 'zod'

const unsetWhenEmpty = (value: unknown): unknown =>
  typeof value === 'string' && value.trim() === '' ? undefined : value

export const text = () => z.preprocess(unsetWhenEmpty, z.string().trim().optional())

/** A whole number within [min, max]; `fallback` when unset. */
export const integer = (fallback: number, min: number, max: number) =>
  z.preprocess(
    unsetWhenEmpty,
    z
      .string()
      .regex(/^-?\d+$/, 'is not a whole number')
      .transform(Number)
      .pipe(z.number().int().min(min).max(max))
      .default(fallback),
  )

export const flag = (fallback: boolean) =>
  z.preprocess(
    unsetWhenEmpty,
    z
      .enum(['true', 'false', '1', '0'], 'is neither true nor false')
      .transform((value) => value === 'true' || value === '1')
      .default(fallback),
  )

export const url = (...protocols: string[]) =>
  z.preprocess(
    unsetWhenEmpty,
    z
      .string()
      .refine(
        (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol.slice(0, -1)),
        `is not a ${protocols.join(' or ')} URL`,
      )
      .optional(),
  )
