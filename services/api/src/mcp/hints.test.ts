import { ERRORS } from '@switchyard/contracts'
import { describe, expect, it } from 'vitest'
import { toToolHint } from './hints.ts'

/** No tool covers these. */
const REST_ONLY = /(?:GET|POST|PUT|PATCH|DELETE) \/(?:webhooks|deliveries|rollout|servers|openapi\.json|project\/init)/

describe('toToolHint', () => {
  it('names the tool that does the same as a route', () => {
    expect(toToolHint('Check the task id; GET /tasks lists your tasks.')).toBe(
      'Check the task id; list_tasks lists your tasks.',
    )
  })

  it('covers every route in the hints of the error codes', () => {
    const withRoutes = Object.values(ERRORS)
      .map(({ hint }) => toToolHint(hint))
      .filter((hint) => /\b(?:GET|POST|PUT|PATCH|DELETE) \//.test(hint) && !REST_ONLY.test(hint))
    expect(withRoutes).toEqual([])
  })
})
