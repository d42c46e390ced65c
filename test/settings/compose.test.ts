// compose.yaml passes each setting on to exactly the services that its declaration names.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { declaredSettings } from '@switchyard/config'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

type Service = { readonly environment?: Readonly<Record<string, string | null>>; readonly command?: unknown }

const file = path.resolve(import.meta.dirname, '../../compose.yaml')
const { services } = parse(readFileSync(file, 'utf8'), { merge: true, logLevel: 'error' }) as {
  services: Record<string, Service>
}
const settings = [...declaredSettings()]

/** The egress proxy takes its settings as arguments; every other service as environment. */
const serviceNames = ['api', 'worker', 'notifier', 'opencode', 'docker-filter']

const environmentOf = (name: string) => services[name]?.environment ?? {}

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

  it('passes the egress rules to the egress proxy', () => {
    for (const [setting, { services: receivers }] of settings.filter(([, each]) => each.services.includes('egress'))) {
      expect(receivers).toEqual(['egress'])
      expect(JSON.stringify(services.egress?.command)).toContain(`\${${setting}:-}`)
    }
  })
})
