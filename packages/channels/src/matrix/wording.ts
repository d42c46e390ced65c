// What a message says, as plain text and as HTML at once. Every value is escaped on its way in.

export type Wording = {
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

/** Control characters, and those that turn the direction of what follows: a value must not rearrange what is around it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that are taken out.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g

const clean = (value: string): string => value.replaceAll('\r\n', '\n').replaceAll(UNSEEN, '')

const escaped = (value: string): string => value.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '')

export const text = (value: string): Wording => {
  const body = clean(value)
  return { body, html: escaped(body).replaceAll('\n', '<br/>') }
}

export const bold = (value: string): Wording => {
  const { body, html } = text(value)
  return { body, html: `<strong>${html}</strong>` }
}

export const code = (value: string): Wording => {
  const body = clean(value)
  return { body, html: `<code>${escaped(body)}</code>` }
}

/** Lines as they are. @param language - how a client colours them, such as `diff`. */
export const block = (value: string, language?: 'diff'): Wording => {
  const body = clean(value)
  return { body, html: `<pre><code${language ? ` class="language-${language}"` : ''}>${escaped(body)}</code></pre>` }
}

export const join = (...parts: readonly Wording[]): Wording => ({
  body: parts.map(({ body }) => body).join(''),
  html: parts.map(({ html }) => html).join(''),
})

export const lines = (...parts: readonly (Wording | null)[]): Wording => {
  const there = parts.filter((part) => part !== null)
  return { body: there.map(({ body }) => body).join('\n'), html: there.map(({ html }) => html).join('<br/>') }
}

/** The beginning of a text, with a sign that it is not all of it. @param most - characters. */
export const clip = (value: string, most: number): string =>
  value.length <= most ? value : `${value.slice(0, most - 1).trimEnd()}…`
