// Defines what a tool is: a name, texts for the model, input and output schemas, and a function.

import type { ToolAnnotations } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import { checkArguments } from '../validation/arguments.ts'

export type ToolCall = {
  readonly caller: Caller
  /** Aborts when the client disconnects or the call times out. */
  readonly signal: AbortSignal
}

type JsonSchema = { readonly type: 'object'; readonly [key: string]: unknown }

export type Tool = {
  readonly name: string
  /** Its entry in `tools/list`. */
  readonly listed: {
    readonly name: string
    readonly title: string
    readonly description: string
    readonly inputSchema: JsonSchema
    readonly outputSchema: JsonSchema
    readonly annotations: ToolAnnotations
  }
  /** Validates the arguments and runs the tool. @throws SwitchyardError */
  run(input: unknown, call: ToolCall): Promise<Record<string, unknown>>
}

export type ToolDefinition<I extends z.ZodObject, O extends z.ZodObject> = {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly input: I
  readonly output: O
  readonly annotations: ToolAnnotations
  run(input: z.output<I>, call: ToolCall): Promise<z.input<O>>
}

/** The annotations of a tool that only reads, and only within this installation. */
export const READS: ToolAnnotations = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}

const toJsonSchema = (schema: z.ZodObject, io: 'input' | 'output'): JsonSchema => ({
  ...z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' }),
  type: 'object',
})

export const defineTool = <I extends z.ZodObject, O extends z.ZodObject>(definition: ToolDefinition<I, O>): Tool => {
  const { name, title, description, input, output, annotations } = definition
  return {
    name,
    listed: {
      name,
      title,
      description,
      inputSchema: toJsonSchema(input, 'input'),
      outputSchema: toJsonSchema(output, 'output'),
      annotations: { title, ...annotations },
    },
    run: async (args, call) => await definition.run(checkArguments(input, args ?? {}), call),
  }
}
