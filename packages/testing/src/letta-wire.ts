// Schemas of the request bodies of Letta's API. The compiler checks them against the types of
// Letta's client: a field that the client lacks or types differently does not compile.

import type { MessageCreate } from '@letta-ai/letta-client/resources/agents/agents'
import type { MessageCreateAsyncParams } from '@letta-ai/letta-client/resources/agents/messages'
import type { BlockCreateParams, BlockUpdateParams } from '@letta-ai/letta-client/resources/blocks/blocks'
import { z } from 'zod'

/** Fails to compile if the schema accepts something that the client's type does not. */
const wire =
  <T>() =>
  <S extends z.ZodType>(
    schema: [keyof z.infer<S>] extends [keyof T] ? (z.infer<S> extends Partial<T> ? S : never) : never,
  ): S =>
    schema

const messageSchema = wire<MessageCreate>()(
  z.strictObject({
    type: z.literal('message').exactOptional(),
    role: z.enum(['user', 'system', 'assistant']),
    content: z.string().min(1),
    otid: z.string().min(1).exactOptional(),
    name: z.string().nullable().exactOptional(),
    sender_id: z.string().nullable().exactOptional(),
  }),
)

export const asyncMessagesSchema = wire<MessageCreateAsyncParams>()(
  z.strictObject({ messages: z.array(messageSchema).min(1), max_steps: z.number().int().positive().exactOptional() }),
)

const fitsLimit = (block: { value?: string; limit?: number }): boolean =>
  block.value === undefined || block.limit === undefined || block.value.length <= block.limit

export const createBlockSchema = wire<BlockCreateParams>()(
  z
    .strictObject({
      label: z.string().regex(/^[\w/-]{1,100}$/),
      value: z.string(),
      description: z.string().nullable().exactOptional(),
      limit: z.number().int().positive().exactOptional(),
      read_only: z.boolean().exactOptional(),
      tags: z.array(z.string()).nullable().exactOptional(),
    })
    .refine(fitsLimit, 'exceeds the limit'),
)

export const updateBlockSchema = wire<BlockUpdateParams>()(z.strictObject({ value: z.string() }))
