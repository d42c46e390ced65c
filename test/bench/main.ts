// `npm run bench`: what Switchyard adds to the parts it is made of, each against those parts alone in the same run.

import { availableParallelism, loadavg } from 'node:os'
import { measureAccept } from './accept.ts'
import { measureContainerStart } from './container-start.ts'
import { measureDeliveries } from './deliveries.ts'
import { measureEventDelay } from './event-delay.ts'
import { measureFirstRequest } from './first-request.ts'
import { type Part, readOptions } from './options.ts'
import { measureProjects } from './projects.ts'
import { type Section, tell } from './report.ts'
import { openPostgres, type Postgres } from './stage.ts'
import { measureWallTime } from './wall-time.ts'

const MEASURES: Readonly<Record<Part, (postgres: Postgres, quick: boolean) => Promise<Section>>> = {
  accept: measureAccept,
  first: measureFirstRequest,
  events: measureEventDelay,
  wall: measureWallTime,
  docker: measureContainerStart,
  deliveries: measureDeliveries,
  projects: measureProjects,
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const load = (): string =>
  loadavg()
    .map((value) => value.toFixed(1))
    .join(' ')

const bench = async (): Promise<void> => {
  const { parts, quick } = readOptions(process.argv.slice(2))
  say(`${availableParallelism()} processors, load ${load()} before; medians; both sides alternate, the first in turn`)
  if (quick) say('--quick: too few rounds to judge by')
  const postgres = await openPostgres()
  try {
    for (const part of parts) say(tell(await MEASURES[part](postgres, quick)))
  } finally {
    await postgres.close()
  }
  say(`\nload ${load()} after`)
}

bench().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    process.exit(1)
  },
)
