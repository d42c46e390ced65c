// The types of settings: each reads one environment variable and says what it may be.

import { z } from 'zod'
import { decimal, flag, integer, optionalInteger, size, text, url } from '../parse.ts'
import type { SettingType } from './setting.ts'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
export const MEBIBYTE = 1_048_576

const UNITS: readonly (readonly [number, string])[] = [
  [DAY, 'day'],
  [HOUR, 'hour'],
  [MINUTE, 'minute'],
  [SECOND, 's'],
  [1, 'ms'],
]

/** Writes milliseconds in the largest unit that divides them: 30 minutes, 5 s. */
const duration = (ms: number): string => {
  if (ms === 0) return '0'
  const [size, unit] = UNITS.find(([each]) => ms % each === 0) ?? [1, 'ms']
  const count = ms / size
  return unit.length <= 2 ? `${count} ${unit}` : `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** Writes bytes as 512m or 4g. */
const bytesText = (bytes: number): string => {
  const mebibytes = bytes / MEBIBYTE
  return mebibytes % 1_024 === 0 ? `${mebibytes / 1_024}g` : `${mebibytes}m`
}

/** A duration in milliseconds. */
export const milliseconds = (fallback: number, min: number, max: number) =>
  ({
    schema: integer(fallback, min, max),
    default: duration(fallback),
    value: String(fallback),
    range: `${duration(min)} to ${duration(max)}, in ms`,
  }) satisfies SettingType

/** A duration in milliseconds that may be absent. */
export const optionalMilliseconds = (min: number, max: number) =>
  ({
    schema: optionalInteger(min, max),
    range: `${duration(min)} to ${duration(max)}, in ms`,
  }) satisfies SettingType

/** A whole number. */
export const count = (fallback: number, min: number, max: number) =>
  ({
    schema: integer(fallback, min, max),
    default: String(fallback),
    value: String(fallback),
    range: `${min} to ${max}`,
  }) satisfies SettingType

/** A number with a fraction. */
export const fraction = (fallback: number, min: number, max: number) =>
  ({
    schema: decimal(fallback, min, max),
    default: String(fallback),
    value: String(fallback),
    range: `${min} to ${max}`,
  }) satisfies SettingType

/** A number of bytes, written as 512m or 4g. */
export const bytes = (fallback: number, min: number) =>
  ({
    schema: size(fallback, min),
    default: bytesText(fallback),
    value: bytesText(fallback),
    range: `${bytesText(min)} or more`,
  }) satisfies SettingType

/** true or false. */
export const boolean = (fallback: boolean) =>
  ({
    schema: flag(fallback),
    default: String(fallback),
    value: String(fallback),
    range: 'true or false',
  }) satisfies SettingType

/** Any text, such as a name, a path or a password. */
export const string = () => ({ schema: text() }) satisfies SettingType

/** A URL with one of the protocols. */
export const urlOf = (...protocols: string[]) =>
  ({ schema: url(...protocols), range: `a ${protocols.join(' or ')} URL` }) satisfies SettingType

/** One of the values. */
export const choice = <const V extends readonly [string, ...string[]]>(values: V, fallback: V[number], error: string) =>
  ({
    schema: z.preprocess(
      (value) => (value === '' ? undefined : value),
      z.enum(values, error).default(fallback as never),
    ),
    default: fallback as string,
    value: fallback as string,
    range: values.join(', '),
  }) satisfies SettingType

/** A format with a parser of its own. */
export const parsed = <S extends z.ZodType>(schema: S, range: string): SettingType<S> => ({ schema, range })

/** Splits a comma-separated value into its entries; an unset or empty value has none. */
export const entriesOf = (value: unknown): readonly string[] =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '')
    : []
