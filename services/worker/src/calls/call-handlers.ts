// The handler of every call to a worker.

import type { CallHandlers } from '@switchyard/contracts'
import { taskCallHandlers } from '@switchyard/workspace'
import { inspect } from '../projects/checkout.ts'
import type { ProjectDeps } from '../projects/deps.ts'
import { destroyProject } from '../projects/destroy.ts'
import { findDuplicates } from '../projects/duplicates.ts'
import { offerKeySeal, readKey, takeKey } from '../projects/keys.ts'
import { exportWork, publishWork } from '../projects/publish.ts'
import { deleteSandbox, listOf, resetSandbox } from '../projects/sandbox-changes.ts'
import { importIntoSandbox } from '../projects/sandbox-import.ts'
import { createSandbox } from '../projects/sandboxes.ts'
import { startProject } from '../projects/start.ts'
import { stopProject } from '../projects/stop.ts'
import { createSealKey } from '../secrets/sealed-secret.ts'
import { storeSealedPassword } from '../secrets/sealed-server-password.ts'
import { type SessionSettings, sessionHandlers } from '../sessions/handlers.ts'

export const callHandlers = (deps: ProjectDeps & SessionSettings): CallHandlers => ({
  'project.inspect': ({ path }) => inspect(path),
  'project.start': async ({ project_id: id }, signal) => {
    await startProject(deps, id, signal)
    return {}
  },
  'project.stop': async ({ project_id: id }, signal) => {
    await stopProject(deps, id, signal)
    return {}
  },
  'project.destroy': (args, signal) => destroyProject(deps, args, signal),
  'sandbox.create': (args, signal) => createSandbox(deps, args, signal),
  'sandbox.list': ({ project_id: id }) => listOf(deps, id),
  'sandbox.reset': (args, signal) => resetSandbox(deps, args, signal),
  'sandbox.delete': (args, signal) => deleteSandbox(deps, args, signal),
  'sandbox.import': (args, signal) => importIntoSandbox(deps, args, signal),
  'project.duplicates': () => findDuplicates(deps),
  'work.publish': (args, signal) => publishWork(deps, args, signal),
  'work.export': (args, signal) => exportWork(deps, args, signal),
  'server.offer_key': async ({ project_id: id }) => ({ public_key: await createSealKey(deps.servers.directoryOf(id)) }),
  'server.take_password': async ({ project_id: id, sealed }) => {
    await storeSealedPassword(deps.servers.directoryOf(id), sealed)
    return {}
  },
  'key.read': (args) => readKey(deps, args),
  'key.offer_seal': (args) => offerKeySeal(deps, args),
  'key.take': (args) => takeKey(deps, args),
  ...sessionHandlers(deps),
  ...taskCallHandlers(deps),
})
