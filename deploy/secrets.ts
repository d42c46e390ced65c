// Makes the passwords that the services share with each other, once, on the first start of a stack. Nobody has to choose
// them and none is in a source file. Three volumes, because the agent can read everything in its container: /run/switchyard/data
// is for Postgres, Valkey, api, worker and model gateway; /run/switchyard/opencode for the OpenCode server and the worker;
// /run/switchyard/gateway for the OpenCode server and the model gateway.

import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, writeFileSync } from 'node:fs'

const password = (): string => randomBytes(24).toString('base64url')

/** Writes the files of one volume; the last one names the volume complete, so a start that broke off is redone whole. */
const writeOnce = (directory: string, files: () => Readonly<Record<string, string>>): void => {
  const complete = `${directory}/complete`
  if (existsSync(complete)) return
  for (const [name, content] of Object.entries({ ...files(), complete: '' })) {
    const temporary = `${directory}/.${name}.new`
    // Postgres and Valkey run under another uid, so the mode allows reading; who can read is decided by the mounts.
    writeFileSync(temporary, content, { mode: 0o444 })
    renameSync(temporary, `${directory}/${name}`)
  }
  console.log(`made the secrets in ${directory}`)
}

writeOnce('/run/switchyard/data', () => {
  const postgres = password()
  const valkey = password()
  return {
    'postgres-password': postgres,
    'valkey-password': valkey,
    'valkey-auth.conf': `requirepass ${valkey}\n`,
    'services.env': `DATABASE_URL=postgres://switchyard:${postgres}@postgres:5432/switchyard\nREDIS_URL=redis://:${valkey}@valkey:6379\n`,
  }
})

writeOnce('/run/switchyard/opencode', () => {
  const opencode = password()
  return { password: opencode, 'services.env': `OPENCODE_SERVER_PASSWORD=${opencode}\n` }
})

// One per server. The gateway alone accepts them, so they are of no use outside the stack.
writeOnce('/run/switchyard/gateway', () => ({ 'opencode-token': password(), 'opencode-green-token': password() }))
