// What a setting is: one environment variable, declared once. The parser, .env.example and docs/configuration.md derive from it.

import type { z } from 'zod'

/** The services of compose.yaml that can receive a setting. */
export type StackService = 'api' | 'worker' | 'notifier' | 'opencode' | 'model-gateway' | 'docker-filter' | 'egress'

/** How a value is read, and what to show people about it. */
export type SettingType<S extends z.ZodType = z.ZodType> = Readonly<{
  schema: S
  /** The default as people read it, such as `30 minutes`; undefined when there is none. */
  default?: string
  /** The default as it is written in a file. */
  value?: string
  /** What the value may be, such as `1 s to 7 days` or `true or false`. */
  range?: string
}>

export type SettingFacts = Readonly<{
  /** One line: what it does. */
  description: string
  /** Services of the stack that receive it; none when only `npm start` or compose.yaml reads it. */
  services: readonly StackService[]
  /** Replaces the type's default for people, where it depends on something. */
  default?: string
  /** The value that .env.example shows when there is no default. */
  example?: string
  /** Never logged or shown. */
  isSecret?: true
  /** The stack's own default, where compose.yaml sets another one. */
  stackDefault?: string
  /** compose.yaml sets it and .env cannot change it. */
  isFixedInStack?: true
  /** compose.yaml uses the value for a published port or a mount, and the container gets a fixed one. */
  isMappedInStack?: true
}>

export type Setting<S extends z.ZodType = z.ZodType> = SettingType<S> & SettingFacts

/** Variables that compose.yaml or OpenCode reads and Switchyard does not. */
export type OutsideSetting = SettingFacts

export type Section<T> = Readonly<{ title: string; settings: Readonly<Record<string, T>> }>

/** Declares a setting of a type. */
export const setting = <S extends z.ZodType>(type: SettingType<S>, facts: SettingFacts): Setting<S> => ({
  ...type,
  ...facts,
})

/** The services that load the whole configuration. */
export const CORE = ['api', 'worker', 'notifier'] as const satisfies readonly StackService[]
