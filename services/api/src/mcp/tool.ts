// Defines what a tool is: a name, texts for the model, input and output schemas, and a function.

import type { ToolAnnotations } from '@modelcontextprotocol/server'
import type { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import { checkArguments } from '../validation/arguments.ts'
import { inputSchema, type ObjectSchema, outputSchema } from './json-schema.ts'

export type ToolCall = {
  readonly caller: Caller
  /** Aborts when the client disconnects or the call times out. */
  readonly signal: AbortSignal
}

export type Tool = {
  readonly name: string
  /** Its entry in `tools/list`. */
  readonly listed: {
    readonly name: string
    readonly title: string
    readonly description: string
    readonly inputSchema: ObjectSchema
    readonly outputSchema: ObjectSchema
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

export const defineTool = <I extends z.ZodObject, O extends z.ZodObject>(definition: ToolDefinition<I, O>): Tool => {
  const { name, title, description, input, output, annotations } = definition
  return {
    name,
    listed: {
      name,
      title,
      description,
      inputSchema: inputSchema(input),
      outputSchema: outputSchema(output),
      annotations,
    },
    run: async (args, call) => await definition.run(checkArguments(input, args ?? {}), call),
  }
}
