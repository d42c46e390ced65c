#!/usr/bin/env node
// The `switchyard` command.

import { run } from './run.ts'

// biome-ignore lint/style/noProcessEnv: what the caller's shell says; the server's settings are read by packages/config
process.exitCode = await run(process.argv.slice(2), { out: process.stdout, err: process.stderr, env: process.env })
