// Calls the REST API with a key, as a program would.

import { expect } from 'vitest'

type Answer<T> = { readonly status: number; readonly body: T }

export type RestCaller = {
  readonly request: <T>(method: string, path: string, body?: unknown) => Promise<Answer<T>>
  /** Returns the body; fails unless the status is 200. */
  readonly ok: <T>(method: string, path: string, body?: unknown) => Promise<T>
}

/** Longer than the longest wait of the api. */
const LIMIT_MS = 58_000

export const restCaller = (url: string, key: string): RestCaller => {
  const request = async <T>(method: string, path: string, body?: unknown): Promise<Answer<T>> => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(LIMIT_MS),
    })
    return { status: response.status, body: (await response.json()) as T }
  }
  return {
    request,
    ok: async <T>(method: string, path: string, body?: unknown) => {
      const answer = await request<T>(method, path, body)
      expect(answer, `${method} ${path}`).toMatchObject({ status: 200 })
      return answer.body
    },
  }
}
