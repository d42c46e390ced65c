// What reached the scripted model, asked over HTTP: it runs in a process of its own.

import type { ModelRequest } from '@switchyard/testing'

const POLL_MS = 20
const LIMIT_MS = 60_000

/** The first turn whose prompt holds `marker`. @throws Error when none comes within a minute. */
export const firstRequest = async (modelUrl: string, marker: string): Promise<ModelRequest> => {
  const until = Date.now() + LIMIT_MS
  for (;;) {
    const response = await fetch(`${modelUrl}/control/requests`)
    const { requests } = (await response.json()) as { readonly requests: readonly ModelRequest[] }
    const found = requests.find((request) => request.kind === 'turn' && request.lastUser.includes(marker))
    if (found) return found
    if (Date.now() > until) throw new Error(`the model was not asked about ${marker}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Lets every step go on that holds under this name. */
export const release = async (modelUrl: string, name: string): Promise<void> => {
  await fetch(`${modelUrl}/control/release/${name}`, { method: 'POST' })
}
