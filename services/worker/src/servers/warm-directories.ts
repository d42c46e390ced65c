// Directories that a server has loaded before any work starts there. Each costs the server about 50
// MB, so only the most recent ones stay loaded.

import type { Catalog, OpenCodeServer } from '@switchyard/opencode'

/** Of each server. */
const MAX_WARM = 8

export class WarmDirectories {
  /** Least recently used first. */
  readonly #warm = new WeakMap<OpenCodeServer, Set<string>>()

  /**
   * Loads a directory on the server by reading its catalog, and unloads an older one that is idle.
   *
   * @throws SwitchyardError of the client
   */
  async warm(server: OpenCodeServer, directory: string, signal: AbortSignal): Promise<Catalog> {
    const warm = this.#warm.get(server) ?? new Set()
    this.#warm.set(server, warm)
    const isNew = !warm.has(directory)
    const catalog = await server.client.catalog(directory, { signal })
    warm.delete(directory)
    warm.add(directory)
    if (isNew) await this.#unloadOldest(server, warm, signal)
    return catalog
  }

  /** A busy directory stays loaded, and this class no longer tracks it. */
  async #unloadOldest(server: OpenCodeServer, warm: Set<string>, signal: AbortSignal): Promise<void> {
    for (const directory of [...warm].slice(0, Math.max(0, warm.size - MAX_WARM))) {
      warm.delete(directory)
      if (server.busy().some((session) => session.directory === directory)) continue
      await server.client.disposeDirectory(directory, { signal })
    }
  }
}
