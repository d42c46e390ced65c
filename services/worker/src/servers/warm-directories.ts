// Directories that a server was made to know before anybody works there. Each holds about 50 MB of it, so only the last few stay.

import type { Catalog, OpenCodeServer } from '@switchyard/opencode'

/** Of each server. */
const MOST = 8

export class WarmDirectories {
  /** The oldest first. */
  readonly #known = new WeakMap<OpenCodeServer, Set<string>>()

  /**
   * Asks the server about a directory, which sets it up there; an older one where nobody works is freed for it.
   *
   * @throws SwitchyardError of the client
   */
  async warm(server: OpenCodeServer, directory: string, signal: AbortSignal): Promise<Catalog> {
    const known = this.#known.get(server) ?? new Set()
    this.#known.set(server, known)
    const isNew = !known.has(directory)
    const catalog = await server.client.catalog(directory, { signal })
    known.delete(directory)
    known.add(directory)
    if (isNew) await this.#freeOld(server, known, signal)
    return catalog
  }

  /** Whoever works in one, or waits there for an answer, is busy: that one stays, and is forgotten here. */
  async #freeOld(server: OpenCodeServer, known: Set<string>, signal: AbortSignal): Promise<void> {
    for (const directory of [...known].slice(0, Math.max(0, known.size - MOST))) {
      known.delete(directory)
      if (server.busy().some((session) => session.directory === directory)) continue
      await server.client.disposeDirectory(directory, { signal })
    }
  }
}
