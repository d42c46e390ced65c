// The output streams and environment of a command, and the error for invalid usage.

export type Terminal = {
  /** Receives results. */
  readonly out: { write(text: string): unknown }
  /** Receives progress and errors. */
  readonly err: { write(text: string): unknown }
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Invalid arguments; the message says how to correct them. Exit code 2. */
export class UsageError extends Error {}
