// Names of models.

import { z } from 'zod'
import { shortText } from './text.ts'

/** `provider/model`, as we accept it from callers and configuration. */
export const MODEL_NAME = /^[^/\s]+\/\S+$/

export const modelRefSchema = z.strictObject({ providerID: shortText(200), modelID: shortText(200) })

/** A model in the form of the OpenCode API. */
export type ModelRef = { readonly providerID: string; readonly modelID: string }

/** `provider/model`, or its two parts. */
export const modelChoiceSchema = z.union([
  z.string().regex(MODEL_NAME, 'is not provider/model').max(400),
  modelRefSchema,
])
export type ModelChoice = z.infer<typeof modelChoiceSchema>

/**
 * Splits `provider/model` at its first slash.
 *
 * This accepts more than `MODEL_NAME` does: names also come from OpenCode's own configuration, where model ids may
 * contain spaces.
 *
 * @returns undefined when the provider is missing
 */
export const parseModel = (name: string | null | undefined): ModelRef | undefined => {
  const slash = name?.indexOf('/') ?? -1
  return name && slash > 0 ? { providerID: name.slice(0, slash), modelID: name.slice(slash + 1) } : undefined
}
