// All settings, section by section, and the schema of the environment that follows from them.

import { z } from 'zod'
import { access } from './access.ts'
import { docker } from './docker.ts'
import { git } from './git.ts'
import { letta } from './letta.ts'
import { matrix } from './matrix.ts'
import { notifications } from './notifications.ts'
import { opencode } from './opencode.ts'
import { providers, stack } from './outside.ts'
import { rollout } from './rollout.ts'
import type { OutsideSetting, Section, Setting } from './setting.ts'
import { storage } from './storage.ts'
import { tasks } from './tasks.ts'
import { toolSandbox } from './tool-sandbox.ts'

const settings = {
  ...access.settings,
  ...tasks.settings,
  ...storage.settings,
  ...git.settings,
  ...opencode.settings,
  ...toolSandbox.settings,
  ...docker.settings,
  ...rollout.settings,
  ...notifications.settings,
  ...letta.settings,
  ...matrix.settings,
}

type Shape<S extends Readonly<Record<string, Setting>>> = { [K in keyof S]: S[K]['schema'] }

/** The sections whose settings Switchyard reads, in the order of the documents. */
export const SECTIONS: readonly Section<Setting>[] = [
  access,
  tasks,
  storage,
  git,
  opencode,
  toolSandbox,
  docker,
  rollout,
  notifications,
  letta,
  matrix,
]

/** The sections that only compose.yaml, OpenCode or git read. */
export const OUTSIDE_SECTIONS: readonly Section<OutsideSetting>[] = [stack, providers]

/** The schema of the environment: one key per setting. */
export const environment = z.object(
  Object.fromEntries(Object.entries(settings).map(([name, { schema }]) => [name, schema])) as Shape<typeof settings>,
)

/** The values of all settings, parsed. */
export type Environment = z.infer<typeof environment>
