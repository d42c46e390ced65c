// Calls about a directory: what can be used in it, what runs in it, what changed in it; and the list of projects.

import type { Agent, Config, Project, Provider, SessionStatus, VcsFileDiff, VcsFileStatus } from '@opencode-ai/sdk/v2'
import type { Call, OpenCodeCallOptions } from './call.ts'
import { type Catalog, toCatalog } from './catalog.ts'
import type { Sdk } from './sdk-client.ts'

export const directoryCalls = (call: Call, sdk: Sdk) => {
  const agents = (directory: string, options: OpenCodeCallOptions = {}): Promise<readonly Agent[]> =>
    call('list the agents', 'always', options, (signal) => sdk().app.agents({ directory }, { signal }))

  /** Contains API keys in clear text: never pass it on unfiltered. */
  const config = (directory: string, options: OpenCodeCallOptions = {}): Promise<Config> =>
    call('read the config', 'always', options, (signal) => sdk().config.get({ directory }, { signal }))

  /** Returns the usable providers and the default model of each. Contains API keys in clear text. */
  const providers = (
    directory: string,
    options: OpenCodeCallOptions = {},
  ): Promise<{ readonly providers: readonly Provider[]; readonly default: Readonly<Record<string, string>> }> =>
    call('list the providers', 'always', options, (signal) => sdk().config.providers({ directory }, { signal }))

  return {
    agents,
    config,
    providers,

    /** Returns what can be used in a directory, without API keys. */
    catalog: async (directory: string, options: OpenCodeCallOptions = {}): Promise<Catalog> =>
      toCatalog(
        ...(await Promise.all([providers(directory, options), agents(directory, options), config(directory, options)])),
      ),

    /** Returns the sessions that run in a directory. A missing session is idle or does not exist. */
    statuses: (
      directory: string,
      options: OpenCodeCallOptions = {},
    ): Promise<Readonly<Record<string, SessionStatus>>> =>
      call('read the statuses', 'always', options, (signal) => sdk().session.status({ directory }, { signal })),

    /** Returns the names of matching files, best match first. A query outside the directory matches nothing. */
    findFiles: (
      directory: string,
      find: { readonly query: string; readonly limit: number },
      options: OpenCodeCallOptions = {},
    ): Promise<readonly string[]> =>
      call('find files', 'always', options, (signal) =>
        sdk().find.files({ directory, query: find.query, type: 'file', limit: find.limit }, { signal }),
      ),

    /** Returns the differences to the last commit, with untracked files. Git runs where the agent's commands run. */
    changedFiles: (directory: string, options: OpenCodeCallOptions = {}): Promise<readonly VcsFileStatus[]> =>
      call('read the changes', 'always', options, (signal) => sdk().vcs.status({ directory }, { signal })),

    /** Returns the same as `changedFiles`, with a patch for each file. */
    workingDiff: (directory: string, options: OpenCodeCallOptions = {}): Promise<readonly VcsFileDiff[]> =>
      call('read the changes', 'always', options, (signal) => sdk().vcs.diff({ directory, mode: 'git' }, { signal })),

    /**
     * Frees what the server holds for a directory: file watchers, threads, and memory for its next directory. Turns of its
     * sessions end; the sessions stay. A later call makes the server load the directory again.
     */
    disposeDirectory: async (directory: string, options: OpenCodeCallOptions = {}): Promise<void> => {
      await call('free the directory', 'always', options, (signal) => sdk().instance.dispose({ directory }, { signal }))
    },

    /** Makes the server emit `tui.command.execute`, which tests the event stream and has no other effect. */
    publishCommand: async (directory: string, command: string, signal: AbortSignal): Promise<void> => {
      await call('test the event stream', 'always', { signal }, (limit) =>
        sdk().tui.publish(
          { directory, body: { type: 'tui.command.execute', properties: { command } } },
          { signal: limit },
        ),
      )
    },

    /** Returns every project that the server was ever used in. */
    projects: (options: OpenCodeCallOptions = {}): Promise<readonly Project[]> =>
      call('list the projects', 'always', options, (signal) => sdk().project.list({}, { signal })),
  }
}
