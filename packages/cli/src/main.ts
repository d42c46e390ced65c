#!/usr/bin/env node
// The `switchyard` command.

import { run } from './run.ts'

// biome-ignore lint/style/noProcessEnv: a command reads the shell's environment; packages/config reads a service's settings
process.exitCode = await run(process.argv.slice(2), { out: process.stdout, err: process.stderr, env: process.env })
