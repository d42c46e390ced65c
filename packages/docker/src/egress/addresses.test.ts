import { describe, expect, it } from 'vitest'
import { createAddressList, isPublic } from './addresses.ts'

describe('isPublic', () => {
  it.each(['1.1.1.1', '93.184.215.14', '172.15.0.1', '172.32.0.1', '2606:4700:4700::1111'])(
    'accepts the public address %s',
    (address) => {
      expect(isPublic(address)).toBe(true)
    },
  )

  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.17.0.1',
    '192.168.1.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:1.1.1.1',
    '64:ff9b::7f00:1',
    'fd00:ec2::254',
    'fe80::1',
    'ff02::1',
    '2002:7f00:1::',
    '2001:0:1::',
    'localhost',
    '',
  ])('rejects %j', (address) => {
    expect(isPublic(address)).toBe(false)
  })
})

describe('createAddressList', () => {
  it('contains addresses and networks of both families', () => {
    const has = createAddressList(['9.9.9.9', '149.112.112.0/24', '2620:fe::/48', '2606:4700::1111'])
    for (const address of ['9.9.9.9', '149.112.112.9', '2620:fe::fe', '2606:4700::1111'])
      expect(has(address)).toBe(true)
    for (const address of ['9.9.9.10', '149.112.113.9', '2620:ff::fe', '2606:4700::1112'])
      expect(has(address)).toBe(false)
    expect(createAddressList([])('9.9.9.9')).toBe(false)
  })

  it.each(['host', '9.9.9.9/33', '2620:fe::/129', '9.9.9.9/', '9.9.9'])(
    'reports %s, which is neither an address nor a network',
    (entry) => {
      expect(() => createAddressList([entry])).toThrow(`${entry} is neither an address nor a network`)
    },
  )
})
