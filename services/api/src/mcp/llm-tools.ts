// The tools for models: which there are, and which a project uses.

import { llmConfigSchema, setModelSchema } from '@switchyard/contracts'
import { z } from 'zod'
import type { LlmService } from '../servers/llm.ts'
import { defineTool, READS, type Tool } from './tool.ts'

const configTool = (llm: LlmService): Tool =>
  defineTool({
    name: 'opencode_llm_config',
    title: 'List models',
    description:
      'The model providers of the OpenCode servers with their models and variants, the defaults, and which model each project uses. Without keys.',
    input: z.strictObject({}),
    output: llmConfigSchema,
    annotations: READS,
    run: async (_input, { caller }) => await llm.config(caller),
  })

const setModelTool = (llm: LlmService): Tool =>
  defineTool({
    name: 'opencode_llm_set_model',
    title: 'Set a project’s model',
    description:
      'Which model the tasks and sessions of a project use that name none. It must be one that OpenCode offers there. For its owner and operators.',
    input: z.strictObject({
      git_url: z.string().min(1).max(2_000).describe('The repository’s URL or path, or its project_id'),
      model: z.string().trim().min(1).max(200).describe('provider/model; default: the installation’s'),
    }),
    output: setModelSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    run: async (input, { caller }) => await llm.setModel(caller, input.git_url, input.model),
  })

export const llmTools = (llm: LlmService): readonly Tool[] => [configTool(llm), setModelTool(llm)]
