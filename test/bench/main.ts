// `npm run bench`: measures the overhead of Switchyard against the same work without it, in one
// run.

import { availableParallelism, loadavg } from 'node:os'
import { measureAccept } from './accept.ts'
import { measureContainerStart } from './container-start.ts'
import { measureDeliveries } from './deliveries.ts'
import { measureEventDelay } from './event-delay.ts'
import { measureFirstRequest } from './first-request.ts'
import { measureModelGateway } from './model-gateway.ts'
import { type Part, readOptions } from './options.ts'
import { measureProjects } from './projects.ts'
import { formatSection, type Section } from './report.ts'
import { openPostgres, type Postgres } from './resources.ts'
import { measureToolSandbox } from './tool-sandbox.ts'
import { measureWallTime } from './wall-time.ts'

const MEASURES: Readonly<Record<Part, (postgres: Postgres, quick: boolean) => Promise<Section>>> = {
  accept: measureAccept,
  first: measureFirstRequest,
  events: measureEventDelay,
  wall: measureWallTime,
  docker: measureContainerStart,
  deliveries: measureDeliveries,
  projects: measureProjects,
  sandbox: measureToolSandbox,
  gateway: measureModelGateway,
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const load = (): string =>
  loadavg()
    .map((value) => value.toFixed(1))
    .join(' ')

const bench = async (): Promise<void> => {
  const { parts, quick } = readOptions(process.argv.slice(2))
  print(`${availableParallelism()} processors, load ${load()} before; medians; both sides alternate`)
  if (quick) print('--quick: too few rounds for reliable figures')
  const postgres = await openPostgres()
  try {
    for (const part of parts) print(formatSection(await MEASURES[part](postgres, quick)))
  } finally {
    await postgres.close()
  }
  print(`\nload ${load()} after`)
}

bench().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    process.exit(1)
  },
)
