import { describe, expect, it } from 'vitest'
import { forbiddenRange, TargetGuard, TargetNotAllowed } from './target-guard.ts'

describe('forbiddenRange', () => {
  it.each([
    '127.0.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fd00:ec2::254',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
  ])('refuses %s', (address) => {
    expect(forbiddenRange(address)).toBeDefined()
  })

  it.each(['1.1.1.1', '93.184.215.14', '2606:4700:4700::1111', '::ffff:1.1.1.1', '64:ff9b::101:101'])(
    'allows %s',
    (address) => {
      expect(forbiddenRange(address)).toBeUndefined()
    },
  )
})

describe('TargetGuard.lookup', () => {
  const { lookup } = new TargetGuard()
  const look = (hostname: string, all: boolean) =>
    new Promise((resolve) => lookup(hostname, { all }, (error, found) => resolve(error ?? found)))

  it.each([true, false])('refuses a name of this host (all: %j)', async (all) => {
    expect(await look('localhost', all)).toBeInstanceOf(TargetNotAllowed)
  })

  it('reports a name that does not exist', async () => {
    expect(await look('nowhere.invalid', true)).toMatchObject({ code: expect.stringMatching(/^E(NOTFOUND|AI_AGAIN)$/) })
  })
})
