import { executeTaskSchema } from '@switchyard/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { dropAbsentValues } from './absent-values.ts'

const schema = z.strictObject({
  required: z.string(),
  id: z.string().max(10).optional(),
  mode: z.enum(['one', 'two']).optional(),
  count: z.number().default(3),
  cleared: z.string().nullable().optional(),
  nested: z.object({ id: z.string().optional() }).optional(),
  list: z.array(z.object({ id: z.string().optional() })).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
})

describe('dropAbsentValues', () => {
  it('leaves out optional arguments that are null or an empty text, at every level', () => {
    const value = { required: 'x', id: '', mode: null, count: null, nested: { id: null }, list: [{ id: '' }, {}] }
    expect(dropAbsentValues(schema, value)).toEqual({ required: 'x', nested: {}, list: [{}, {}] })
  })

  it('keeps null and empty texts where they have a meaning', () => {
    const value = { required: '', cleared: null, metadata: { note: null, text: '' } }
    expect(dropAbsentValues(schema, value)).toEqual(value)
    expect(dropAbsentValues(schema, { cleared: '' })).toEqual({ cleared: '' })
  })

  it('leaves unknown fields and values of another type to the check of the schema', () => {
    for (const value of [{ unknown: null }, [null], 'text', null, 3])
      expect(dropAbsentValues(schema, value)).toEqual(value)
  })

  it('accepts a call of execute_task with every optional argument null', () => {
    const all = Object.fromEntries(Object.keys(executeTaskSchema.shape).map((name) => [name, null]))
    const value = dropAbsentValues(executeTaskSchema, { ...all, task_description: 'Fix it' })
    expect(value).toEqual({ task_description: 'Fix it' })
  })
})
