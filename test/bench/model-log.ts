// Reads the requests of a scripted model that runs in another process, and releases its steps.

import type { ModelRequest } from '@switchyard/testing'

const POLL_MS = 20
const LIMIT_MS = 60_000

/**
 * Returns the first turn whose prompt contains `marker`.
 *
 * @throws Error if none arrives within a minute
 */
export const firstRequest = async (modelUrl: string, marker: string): Promise<ModelRequest> => {
  const until = Date.now() + LIMIT_MS
  for (;;) {
    const response = await fetch(`${modelUrl}/control/requests`)
    const { requests } = (await response.json()) as { readonly requests: readonly ModelRequest[] }
    const found = requests.find((request) => request.kind === 'turn' && request.lastUser.includes(marker))
    if (found) return found
    if (Date.now() > until) throw new Error(`the model received no request with ${marker}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Lets every step continue that waits for this name with `hold`. */
export const release = async (modelUrl: string, name: string): Promise<void> => {
  await fetch(`${modelUrl}/control/release/${name}`, { method: 'POST' })
}
