import { describe, expect, it } from 'vitest'
import { isPlaceholder } from './secrets.ts'

describe('isPlaceholder', () => {
  it.each([
    '',
    'CHANGE_ME_REQUIRED',
    'change-me',
    'changeme',
    'changeit',
    'password',
    'Password123',
    'secret',
    '<token>',
    '<base64>',
    'your-token-here',
    '$TOKEN',
    'xxxxxxxxxxxxxxxxxxxx',
    '1234567890',
  ])('knows %j', (value) => {
    expect(isPlaceholder(value)).toBe(true)
  })

  it.each(['kV2mWq8xTz4bN1rY', 'example-password', 'correct horse battery staple', 'mychangeme-9f3'])(
    'takes %j for a secret',
    (value) => {
      expect(isPlaceholder(value)).toBe(false)
    },
  )
})
