// Tools for models: which are available, and which one a project uses.

import { llmConfigSchema, setModelSchema } from '@switchyard/contracts'
import { z } from 'zod'
import type { ModelsService } from '../servers/models-service.ts'
import { defineTool, READS, type Tool } from './tool.ts'

const configTool = (llm: ModelsService): Tool =>
  defineTool({
    name: 'opencode_llm_config',
    title: 'List models',
    description:
      'Returns the model providers of the OpenCode servers with their models and variants, the default models, and the model of each project. Use it to find a value for model. It returns no API keys.',
    input: z.strictObject({}),
    output: llmConfigSchema,
    annotations: READS,
    run: async (_input, { caller }) => await llm.config(caller),
  })

const setModelTool = (llm: ModelsService): Tool =>
  defineTool({
    name: 'opencode_llm_set_model',
    title: 'Set the model of a project',
    description:
      'Sets the default model of a project and returns the previous one. Tasks and sessions that do not name a model use it from then on; running ones are not affected. The model must be available in the project. Requires the owner or an operator.',
    input: z.strictObject({
      git_url: z.string().min(1).max(2_000).describe("The repository's URL or path, or its project_id"),
      model: z
        .string()
        .trim()
        .min(1)
        .max(200)
        .describe('provider/model, or "default" for the model of the installation'),
    }),
    output: setModelSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    run: async (input, { caller }) => await llm.setModel(caller, input.git_url, input.model),
  })

export const llmTools = (llm: ModelsService): readonly Tool[] => [configTool(llm), setModelTool(llm)]
