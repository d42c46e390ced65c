import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ScriptedModel, script, startScriptedModel } from './index.ts'

describe('the scripted model', () => {
  let model: ScriptedModel
  beforeAll(async () => {
    model = await startScriptedModel()
  })
  afterAll(() => model.close())

  it('answers without a script by repeating the request', async () => {
    const response = await fetch(`${model.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({
        model: 'model',
        messages: [{ role: 'user', content: `hello ${script([]).slice(0, 0)}` }],
      }),
    })
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'You said: hello' } }] })
  })
})
