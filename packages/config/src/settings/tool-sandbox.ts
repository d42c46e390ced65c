// The sandbox in which an OpenCode server runs the commands of agents.

import path from 'node:path'
import { z } from 'zod'
import { setting } from './setting.ts'
import { choice, entriesOf, parsed } from './types.ts'

const paths = z.preprocess(
  entriesOf,
  z.array(z.string().refine((value) => path.isAbsolute(value), 'is not a list of absolute paths')),
)

const variables = z.preprocess(
  entriesOf,
  z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not a list of variable names')),
)

export const toolSandbox = {
  title: 'Tool sandbox',
  settings: {
    TOOL_SANDBOX: setting(choice(['auto', 'required', 'off'], 'auto', 'is neither auto, required nor off'), {
      description:
        'auto: commands of agents run in a sandbox if this machine can provide one. required: the start fails otherwise.',
      services: ['opencode'],
    }),
    TOOL_SANDBOX_PATHS: setting(parsed(paths, 'absolute paths, separated by commas'), {
      description: 'More directories that commands may read, such as a toolchain in your home directory.',
      example: '/home/me/.rustup',
      services: ['opencode'],
    }),
    TOOL_SANDBOX_VARIABLES: setting(parsed(variables, 'names, separated by commas'), {
      description: "Variables of the server's environment that commands receive in addition to the usual ones.",
      example: 'GOPROXY,PIP_INDEX_URL',
      services: ['opencode'],
    }),
  },
} as const
