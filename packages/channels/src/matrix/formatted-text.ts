// Text in the two formats of a Matrix message: plain and HTML. Every value is escaped when it is added.

export type FormattedText = {
  readonly body: string
  readonly html: string
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Control characters, and those that change the text direction: a value must not rearrange the text around it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to remove.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g

const clean = (value: string): string => value.replaceAll('\r\n', '\n').replaceAll(INVISIBLE, '')

const escapeHtml = (value: string): string => value.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '')

export const plain = (value: string): FormattedText => {
  const body = clean(value)
  return { body, html: escapeHtml(body).replaceAll('\n', '<br/>') }
}

export const bold = (value: string): FormattedText => {
  const { body, html } = plain(value)
  return { body, html: `<strong>${html}</strong>` }
}

export const code = (value: string): FormattedText => {
  const body = clean(value)
  return { body, html: `<code>${escapeHtml(body)}</code>` }
}

/** Returns preformatted text. @param language - for the client's syntax highlighting. */
export const block = (value: string, language?: 'diff'): FormattedText => {
  const body = clean(value)
  return { body, html: `<pre><code${language ? ` class="language-${language}"` : ''}>${escapeHtml(body)}</code></pre>` }
}

export const join = (...parts: readonly FormattedText[]): FormattedText => ({
  body: parts.map(({ body }) => body).join(''),
  html: parts.map(({ html }) => html).join(''),
})

/** Joins lines; null values are left out. */
export const lines = (...parts: readonly (FormattedText | null)[]): FormattedText => {
  const present = parts.filter((part) => part !== null)
  return { body: present.map(({ body }) => body).join('\n'), html: present.map(({ html }) => html).join('<br/>') }
}

/** Shortens a text to `max` characters, the last of which is an ellipsis. */
export const clip = (value: string, max: number): string =>
  value.length <= max ? value : `${value.slice(0, max - 1).trimEnd()}…`
