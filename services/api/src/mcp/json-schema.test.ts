import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { inputSchema, outputSchema } from './json-schema.ts'

const keywordsOf = (node: unknown): readonly string[] => {
  if (Array.isArray(node)) return node.flatMap(keywordsOf)
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([key, value]) => [key, ...keywordsOf(value)])
}

describe('inputSchema', () => {
  it('has no keyword that Gemini or the strict mode of OpenAI refuses', () => {
    const schema = inputSchema(
      z.strictObject({
        url: z.url().max(2_000),
        kind: z.literal('one'),
        labels: z.record(z.string(), z.string()),
        nested: z.object({ list: z.array(z.object({ kind: z.literal(1) })) }),
      }),
    )
    expect(keywordsOf(schema)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(\$.*|format|const|oneOf|propertyNames|pattern|maxLength)$/)]),
    )
    expect(schema.properties).toMatchObject({ kind: { enum: ['one'] } })
  })

  it('leaves arguments alone whose names are keywords', () => {
    const schema = inputSchema(z.strictObject({ format: z.string(), pattern: z.string().describe('A glob') }))
    expect(schema.properties).toEqual({
      format: { type: 'string' },
      pattern: { type: 'string', description: 'A glob' },
    })
  })
})

describe('outputSchema', () => {
  it('names the fields of the result and their types, and nothing inside them', () => {
    const schema = outputSchema(
      z.object({
        id: z.string().nullable(),
        times: z.array(z.iso.datetime()),
        result: z.object({ text: z.string() }).nullable(),
        value: z.union([z.string(), z.number()]).nullable(),
      }),
    )
    expect(schema).toEqual({
      type: 'object',
      properties: {
        id: { type: ['string', 'null'] },
        times: { type: 'array' },
        result: { type: ['object', 'null'] },
        value: { type: ['string', 'number', 'null'] },
      },
    })
  })
})
