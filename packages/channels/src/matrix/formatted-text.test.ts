import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { block, bold, clip, code, join, lines, plain } from './formatted-text.ts'

describe('formatted text', () => {
  it('escapes values in every format', () => {
    const value = `<script>alert("1")</script> & 'more'`
    for (const formatted of [plain(value), bold(value), code(value), block(value, 'diff')]) {
      expect(formatted.body).toBe(value)
      expect(formatted.html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39;')
    }
  })

  it('contains no tags from values', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const { html } = lines(join(plain(value), bold(value)), code(value), block(value))
        expect(html.replaceAll(/<\/?(?:strong|code|pre)>|<br\/>/g, '')).not.toMatch(/[<>]/)
      }),
    )
  })

  it('removes control characters and those that change the text direction', () => {
    expect(plain('a\u202eb\u0000c\r\nd').body).toBe('abc\nd')
  })

  it('shortens a long text', () => {
    expect(clip('a long sentence', 7)).toBe('a long…')
    expect(clip('short', 7)).toBe('short')
  })
})
