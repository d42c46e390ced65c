// Runs the scripted model as a program: node scripted-model-main.ts --port N --host H

import { parseArgs } from 'node:util'
import { startScriptedModel } from './scripted-model.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
  },
})

const model = await startScriptedModel({ port: Number(values.port), host: values.host })
process.stdout.write(`scripted model listening on ${model.url}\n`)

const stop = () => {
  model.close().then(
    () => process.exit(0),
    () => process.exit(1),
  )
}
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
