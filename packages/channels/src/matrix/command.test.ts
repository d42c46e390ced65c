import { describe, expect, it } from 'vitest'
import { parseCommand } from './command.ts'

describe('parseCommand', () => {
  it.each([
    ['!cancel', { kind: 'control', control: 'cancel', reason: undefined }],
    ['!Pause until\nMonday', { kind: 'control', control: 'pause', reason: 'until\nMonday' }],
    ['!reject not now', { kind: 'reject', reason: 'not now' }],
    ['!say 2', { kind: 'say', message: '2' }],
    ['!say', { kind: 'help' }],
    ['!diff', { kind: 'diff' }],
    ['!frobnicate it', { kind: 'unknown', name: 'frobnicate' }],
  ])('parses %s', (body, command) => {
    expect(parseCommand(body)).toEqual(command)
  })

  it.each(['cancel', '! cancel', 'please !cancel', '!', '!!'])('finds no command in %s', (body) => {
    expect(parseCommand(body)).toBeUndefined()
  })
})
