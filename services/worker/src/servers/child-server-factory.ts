// Creates dedicated servers as child processes of this one.

import { rm } from 'node:fs/promises'
import path from 'node:path'
import { withModel } from '@switchyard/contracts'
import { childServer, freePort, type OpenGateway, type RunningServer, type ServerSandbox } from '@switchyard/opencode'
import { ownerOfServer } from '@switchyard/records'
import type { Logger } from 'pino'
import { serverPassword } from '../secrets/server-password.ts'
import { createOwnerHome } from './owner-home.ts'
import { type ServerFactory, serverDirectoryName } from './server-factory.ts'

export type ChildServerFactoryOptions = {
  /** Contains one directory for each server. */
  readonly root: string
  /** Environment that every server inherits. */
  readonly env: Readonly<Record<string, string>>
  /** Returns the sandbox for the commands of a server's agents, who get these variables; null runs them without one. */
  readonly sandbox: ((variables: Readonly<Record<string, string>>) => ServerSandbox) | null
  /**
   * Called with the pid of every process, so that it can be stopped if this process is killed.
   *
   * @returns a function that is called after the process has exited.
   */
  readonly guard: (pid: number) => () => void
  /** Replaces the keys in the environment by access to the model gateway. */
  readonly openGateway?: OpenGateway
  readonly logger: Logger
}

export const childServerFactory = ({
  root,
  env,
  sandbox,
  guard,
  openGateway,
  logger,
}: ChildServerFactoryOptions): ServerFactory => {
  const directoryOf = (key: string): string => path.join(root, serverDirectoryName(key))
  const password = (key: string): Promise<string> => serverPassword(directoryOf(key))
  return {
    kind: 'child',
    isAvailable: () => true,
    directoryOf,
    password,
    createLauncher: ({ key, id, settings }) => ({
      kind: 'child',
      id,
      launch: async (options): Promise<RunningServer> => {
        const { environment, model, port, reservedPorts } = await settings()
        const own = ownerOfServer(key) === undefined ? {} : await createOwnerHome(directoryOf(key), env)
        let unguard = (): void => {}
        const launcher = childServer({
          id,
          dataDir: path.join(directoryOf(key), 'opencode'),
          password: await password(key),
          env: withModel({ ...env, ...own, ...environment }, model),
          port: () => freePort({ preferred: port ?? undefined, reserved: reservedPorts }),
          // Diffs come from git; OpenCode's own snapshots cost two thirds of the throughput within
          // one directory.
          config: { snapshot: false },
          ...(openGateway ? { openGateway } : {}),
          ...(sandbox ? { sandbox: sandbox(environment) } : {}),
          logger,
          onSpawn: (pid) => {
            unguard = guard(pid)
          },
        })
        try {
          const running = await launcher.launch(options)
          // The system may give its pid to another process.
          running.exited.then(unguard, unguard)
          return running
        } catch (error) {
          unguard()
          throw error
        }
      },
    }),
    remove: async (key) => await rm(directoryOf(key), { recursive: true, force: true, maxRetries: 5 }),
  }
}
