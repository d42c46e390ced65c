// Servers of projects' own as child processes of ours.

import { rm } from 'node:fs/promises'
import path from 'node:path'
import { withModel } from '@switchyard/contracts'
import { childServer, freePort, type RunningServer } from '@switchyard/opencode'
import type { Logger } from 'pino'
import { passwordIn } from '../secrets/server-password.ts'
import type { ServerMaker } from './server-factory.ts'

export type ChildMakerOptions = {
  /** Each server has a directory in it. */
  readonly root: string
  /** What every server inherits. */
  readonly env: Readonly<Record<string, string>>
  /** Told of each process, for whoever ends it when we are killed. @returns what is called when it has ended. */
  readonly guard: (pid: number) => () => void
  readonly logger: Logger
}

export const childMaker = ({ root, env, guard, logger }: ChildMakerOptions): ServerMaker => {
  const directoryOf = (projectId: string): string => path.join(root, projectId)
  const password = (projectId: string): Promise<string> => passwordIn(directoryOf(projectId))
  return {
    kind: 'child',
    isPossible: () => true,
    directoryOf,
    password,
    make: ({ projectId, id, settings }) => ({
      kind: 'child',
      id,
      launch: async (options): Promise<RunningServer> => {
        const { environment, model, port, portsOfOthers } = await settings()
        let unguard = (): void => {}
        const launcher = childServer({
          dataDir: path.join(directoryOf(projectId), 'opencode'),
          password: await password(projectId),
          env: withModel({ ...env, ...environment }, model),
          port: () => freePort({ preferred: port ?? undefined, reserved: portsOfOthers }),
          // git gives the diffs; snapshots of its own cost two thirds of the throughput within one directory.
          config: { snapshot: false },
          logger,
          onSpawn: (pid) => {
            unguard = guard(pid)
          },
        })
        try {
          const running = await launcher.launch(options)
          // Its pid may soon be another's.
          running.exited.then(unguard, unguard)
          return running
        } catch (error) {
          unguard()
          throw error
        }
      },
    }),
    remove: async (projectId) => await rm(directoryOf(projectId), { recursive: true, force: true, maxRetries: 5 }),
  }
}
