// `npm run imports`

import path from 'node:path'
import { check, readSources } from './check.ts'

const sources = readSources(path.resolve(import.meta.dirname, '../..'))
const { problems, imports } = check(sources)
for (const { rule, from, to } of problems) process.stdout.write(`${rule}: ${from} → ${to}\n`)
process.stdout.write(`${sources.size} files, ${imports} imports, ${problems.length} problems\n`)
process.exitCode = problems.length > 0 || imports === 0 ? 1 : 0
