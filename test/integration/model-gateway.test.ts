// `npm start`: OpenCode has no key, its calls pass through the gateway and are counted, and nothing runs without a provider.

import { readFile } from 'node:fs/promises'
import type { TaskId } from '@switchyard/contracts'
import { Records, usageOfTask } from '@switchyard/records'
import { script } from '@switchyard/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { type System, startSystem } from './system.ts'

const systems: System[] = []
afterEach(async () => {
  for (const system of systems.splice(0)) await system.close()
})

const start = async (...options: Parameters<typeof startSystem>): Promise<System> => {
  const system = await startSystem(...options)
  systems.push(system)
  return system
}

const KEYS = { ANTHROPIC_API_KEY: 'sk-ant-secret', AWS_SECRET_ACCESS_KEY: 'aws-secret' }

describe('the model gateway of npm start', () => {
  it('gives the server a token of the gateway, and no key of a provider', async () => {
    const system = await start('postgres', KEYS)
    await expect.poll(() => system.switchyard.opencode?.state().status).toBe('up')
    const environment = await readFile(`/proc/${system.switchyard.opencode?.state().pid}/environ`, 'utf8')
    expect(environment).toContain('swgw_')
    expect(environment).not.toMatch(/sk-ant-secret|aws-secret|"apiKey":"scripted"/)
  })

  it('counts requests and tokens of a task and of its subagents', async () => {
    const system = await start('postgres')
    const { task_id } = await system.caller.submit({
      task_description: `Delegate. ${script([
        {
          tool: 'task',
          args: {
            description: 'look',
            subagent_type: 'general',
            prompt: `Look. ${script([{ say: 'seen', usage: { input: 1_000, output: 50 } }])}`,
          },
          usage: { input: 100, output: 10 },
        },
        { say: 'done', usage: { input: 200, output: 20 } },
      ])}`,
    })
    expect(await system.caller.ended(task_id)).toMatchObject({ status: 'completed' })
    const records = new Records({ connectionString: system.databaseUrl, applicationName: 'test' })
    try {
      await expect
        .poll(async () => (await usageOfTask(records.db, task_id as TaskId))[0])
        .toMatchObject({
          provider: 'scripted',
          model: 'model',
          failed_requests: 0,
          input_tokens: 1_300,
          output_tokens: 80,
        })
    } finally {
      await records.close()
    }
  })

  it('refuses a task if no provider is configured, instead of sending it to a hosted model', async () => {
    const system = await start('postgres', { OPENCODE_CONFIG_CONTENT: '' })
    const submit = () => system.caller.submit({ task_description: 'Do it.' })
    // Tasks are accepted until the server has reported its models. They would keep it from doing so if there were many.
    await expect
      .poll(() => submit().catch(String), { interval: 2_000, timeout: 50_000 })
      .toMatch(/422.*no_model_configured/)
    await expect(system.caller.submit({ task_description: 'Do it.', model: 'opencode/big-pickle' })).rejects.toThrow(
      'no_model_configured',
    )
  })

  it("allows OpenCode's hosted models if the operator names them", async () => {
    const system = await start('postgres', {
      OPENCODE_CONFIG_CONTENT: '',
      OPENCODE_MODELS_PATH: '',
      OPENCODE_DIRECT_PROVIDERS: 'opencode',
    })
    const { opencode } = system.switchyard
    await opencode?.ready({ signal: AbortSignal.timeout(30_000) })
    const catalog = await opencode?.client.catalog(system.home, { signal: AbortSignal.timeout(30_000) })
    expect(catalog?.providers.map(({ id }) => id)).toEqual(['opencode'])
  })
})
