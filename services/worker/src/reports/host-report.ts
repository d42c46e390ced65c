// A report about something that tasks can run on: an OpenCode server, or the Docker engine.

export type HostReport = {
  /**
   * Returns whether a report has said that tasks can run there. Until then the worker is not ready.
   */
  readonly wasUp: () => boolean
  readonly stop: () => Promise<void>
}
