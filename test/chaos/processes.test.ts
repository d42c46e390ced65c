import { OF_PROCESSES } from './scenarios/index.ts'
import { testUnder } from './short-run.ts'

await testUnder('under faults of processes', OF_PROCESSES)
