import { OF_CONNECTIONS } from './scenarios/index.ts'
import { testUnder } from './short-run.ts'

await testUnder('under faults of stores and connections', OF_CONNECTIONS)
