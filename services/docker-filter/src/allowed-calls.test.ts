import { describe, expect, it } from 'vitest'
import { checkCall } from './allowed-calls.ts'
import { NotAllowed } from './not-allowed.ts'

const IMAGE = 'registry.example/opencode:1'
const check = (method: string, target: string) => checkCall(method, target, IMAGE)

const listUrl = (filters: unknown) => `/containers/json?filters=${encodeURIComponent(JSON.stringify(filters))}`

describe('checkCall', () => {
  it.each([
    ['/version', '/version'],
    ['/v1.41/version', '/version'],
    ['/images/registry.example/opencode:1/json', '/images/registry.example/opencode:1/json'],
  ])('forwards GET %s', (target, path) => {
    expect(check('GET', target)).toEqual({ kind: 'forward', path })
  })

  it('reads the name of a container to create', () => {
    expect(check('POST', '/containers/create?name=switchyard-x')).toEqual({ kind: 'create', name: 'switchyard-x' })
  })

  it('allows only the volumes of project servers to be removed', () => {
    const name = `switchyard-${'0'.repeat(12)}-${'a'.repeat(24)}`
    expect(check('DELETE', `/volumes/${name}`)).toEqual({ kind: 'remove-volume', name })
    expect(() => check('DELETE', '/volumes/postgres')).toThrow(NotAllowed)
  })

  it.each([
    ['GET', '/containers/a1/json', 'json'],
    ['GET', '/containers/a1/logs?follow=1', 'logs'],
    ['GET', '/containers/a1/stats', 'stats'],
    ['POST', '/containers/a1/start', 'start'],
    ['POST', '/containers/a1/stop?t=5', 'stop'],
    ['POST', '/containers/a1/pause', 'pause'],
    ['POST', '/v1.41/containers/a1/unpause', 'unpause'],
    ['DELETE', '/containers/a1?force=1', 'remove'],
  ])('allows %s %s', (method, target, action) => {
    expect(check(method, target)).toMatchObject({ kind: 'container', id: 'a1', action })
  })

  it('drops the parameters that a worker does not use', () => {
    const call = check('DELETE', '/containers/a1?force=1&link=1&v=1')
    expect(call.kind === 'container' && call.query.toString()).toBe('force=1&v=1')
  })

  it('lists containers by the label of tasks or of network namespaces', () => {
    const labels = ['switchyard.stack=x', 'switchyard.task']
    expect(check('GET', listUrl({ label: labels }))).toEqual({ kind: 'list', labels })
    expect(check('GET', listUrl({ label: ['switchyard.namespace=worker_1'] }))).toMatchObject({ kind: 'list' })
  })

  it.each([
    '/containers/json?all=1',
    listUrl({ label: [] }),
    listUrl({ label: ['switchyard.stack=x'] }),
    listUrl({ label: ['x.switchyard.task'] }),
    listUrl({ label: 'switchyard.task' }),
    '/containers/json?filters=[',
    '/containers/json?filters=null',
  ])('refuses the list %s', (target) => {
    expect(() => check('GET', target)).toThrow(NotAllowed)
  })

  it.each([
    ['GET', '/info'],
    ['GET', '/images/alpine/json'],
    ['POST', '/images/create?fromImage=alpine'],
    ['POST', '/build'],
    ['POST', '/networks/create'],
    ['POST', '/volumes/create'],
    ['POST', '/containers/prune'],
    ['POST', '/containers/a1/exec'],
    ['POST', '/containers/a1/attach'],
    ['POST', '/containers/a1/update'],
    ['POST', '/containers/a1/json'],
    ['GET', '/containers/a1/start'],
    ['GET', '/containers/a1/archive?path=/etc'],
    ['GET', '/containers/..%2f..%2finfo/json'],
    ['GET', '/containers/../info'],
    ['GET', '//['],
    ['GET', 'http://a:b:c/'],
  ])('refuses %s %s', (method, target) => {
    expect(() => check(method, target)).toThrow(NotAllowed)
  })
})
