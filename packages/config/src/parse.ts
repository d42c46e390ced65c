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

/** A whole number within [min, max]; undefined when unset. */
export const optionalInteger = (min: number, max: number) =>
  z.preprocess(
    unsetWhenEmpty,
    z
      .string()
      .regex(/^\d+$/, 'is not a whole number')
      .transform(Number)
      .pipe(z.number().int().min(min).max(max))
      .optional(),
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

/** A number within [min, max], with a fraction if need be; `fallback` when unset. */
export const decimal = (fallback: number, min: number, max: number) =>
  z.preprocess(
    unsetWhenEmpty,
    z
      .string()
      .regex(/^\d+(\.\d+)?$/, 'is not a number')
      .transform(Number)
      .pipe(z.number().min(min).max(max))
      .default(fallback),
  )

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_048_576, g: 1_073_741_824 }

/** Bytes, written as a number with k, m or g behind it if need be; `fallback` (bytes) when unset. */
export const size = (fallback: number, min: number) =>
  z.preprocess(
    unsetWhenEmpty,
    z
      .string()
      .regex(/^\d+[kmg]?b?$/i, 'is not a size such as 512m or 2G')
      .transform((value) => {
        const [, digits = '', unit = ''] = /^(\d+)([kmg]?)/i.exec(value) ?? []
        return Number(digits) * (UNITS[unit.toLowerCase()] ?? 1)
      })
      .pipe(z.number().int().min(min))
      .default(fallback),
  )

/** A Standard Webhooks secret: 24 to 64 bytes in base64, with or without `whsec_` before it; comes back with it. */
export const webhookSecret = () =>
  z.preprocess(
    unsetWhenEmpty,
    z
      .string()
      .transform((value) => value.trim().replace(/^whsec_/, ''))
      // The value is a secret: the message does not repeat it.
      .refine((base64) => {
        const bytes = Buffer.from(base64, 'base64').length
        return /^[A-Za-z0-9+/]+={0,2}$/.test(base64) && bytes >= 24 && bytes <= 64
      }, 'is not 24 to 64 bytes in base64 (openssl rand -base64 32 makes such a one)')
      .transform((base64) => `whsec_${base64}`)
      .optional(),
  )
