// compose.yaml passes each setting on to exactly the services that its declaration names.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { declaredSettings } from '@switchyard/config'
import { proxyVariables } from '@switchyard/docker'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

type Service = { readonly environment?: Readonly<Record<string, string | null>>; readonly command?: unknown }

const file = path.resolve(import.meta.dirname, '../../compose.yaml')
const { services } = parse(readFileSync(file, 'utf8'), { merge: true, logLevel: 'error' }) as {
  services: Record<string, Service>
}
const settings = [...declaredSettings()]

/** The egress proxy takes its settings as arguments; every other service as environment. */
const serviceNames = ['api', 'worker', 'notifier', 'opencode', 'model-gateway', 'docker-filter']

/** In OpenCode's container these are not settings: they point to the egress proxy and to the model gateway. */
const PROXY_VARIABLE = /^((HTTPS?|NO)_PROXY|(https?|no)_proxy|NODE_USE_ENV_PROXY)$/
const GATEWAY_VARIABLE = /^MODEL_GATEWAY_(URL|ACCESS_FILE)$/

const environmentOf = (name: string): Readonly<Record<string, string | null>> =>
  Object.fromEntries(
    Object.entries(services[name]?.environment ?? {}).filter(
      ([variable]) => name !== 'opencode' || !(PROXY_VARIABLE.test(variable) || GATEWAY_VARIABLE.test(variable)),
    ),
  )

describe('compose.yaml', () => {
  it.each(serviceNames)('passes exactly the declared settings to %s', (name) => {
    const declared = settings.filter(([, { services: receivers }]) => receivers.some((each) => each === name))
    expect(declared.length).toBeGreaterThan(0)
    expect(Object.keys(environmentOf(name)).sort()).toEqual(declared.map(([setting]) => setting).sort())
  })

  it('fixes the settings that are declared as fixed, and lets .env change all others', () => {
    for (const name of serviceNames)
      for (const [setting, value] of Object.entries(environmentOf(name))) {
        const declared = declaredSettings().get(setting)
        const canChange = value === null || String(value).startsWith(`\${${setting}:-`)
        const isFixed = declared?.isFixedInStack === true || declared?.isMappedInStack === true
        expect([setting, canChange]).toEqual([setting, !isFixed])
      }
  })

  it('has the default that is declared for the stack', () => {
    for (const name of serviceNames)
      for (const [setting, value] of Object.entries(environmentOf(name))) {
        const own = new RegExp(`^\\$\\{${setting}:-(.*)\\}$`).exec(String(value))?.[1]
        const declared = declaredSettings().get(setting)
        if (own !== undefined) expect([setting, own]).toEqual([setting, declared?.stackDefault ?? declared?.default])
      }
  })

  it('passes every setting of the egress proxy to it, as an argument or as a variable', () => {
    const { command, environment } = services.egress ?? {}
    for (const [setting] of settings.filter(([, each]) => each.services.includes('egress')))
      expect([setting, `${JSON.stringify(command)} ${Object.keys(environment ?? {})}`]).toEqual([
        setting,
        expect.stringMatching(new RegExp(`\\$\\{${setting}:-\\}| .*\\b${setting}\\b`)),
      ])
  })

  it('sends everything that OpenCode and its tools request to the egress proxy, whatever .env says', () => {
    const variables = Object.entries(services.opencode?.environment ?? {}).filter(([name]) => PROXY_VARIABLE.test(name))
    expect(Object.fromEntries(variables)).toEqual(proxyVariables('http://egress:3128'))
  })
})
