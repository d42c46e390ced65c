import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { block, bold, clip, code, join, lines, text } from './wording.ts'

describe('wording', () => {
  it('escapes every value, wherever it stands', () => {
    const value = `<script>alert("1")</script> & 'more'`
    for (const wording of [text(value), bold(value), code(value), block(value, 'diff')]) {
      expect(wording.body).toBe(value)
      expect(wording.html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39;')
    }
  })

  it('has no tags but its own, whatever the values are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const { html } = lines(join(text(value), bold(value)), code(value), block(value))
        expect(html.replaceAll(/<\/?(?:strong|code|pre)>|<br\/>/g, '')).not.toMatch(/[<>]/)
      }),
    )
  })

  it('leaves out what cannot be seen and turns what can', () => {
    expect(text('a\u202eb\u0000c\r\nd').body).toBe('abc\nd')
  })

  it('clips what is long', () => {
    expect(clip('a long sentence', 7)).toBe('a long…')
    expect(clip('short', 7)).toBe('short')
  })
})
