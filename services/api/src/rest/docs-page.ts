// The reference page: a single HTML file that renders /openapi.json without loading anything from other hosts.

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 62rem; margin: 0 auto; padding: 1.5rem }
code, pre { font: 13px/1.45 ui-monospace, monospace }
pre { overflow: auto; padding: .75rem; border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 6px }
details { border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 6px; margin: .5rem 0; padding: .5rem .75rem }
summary { cursor: pointer } summary b { display: inline-block; min-width: 3.5rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0 }
td { border-top: 1px solid color-mix(in srgb, currentColor 12%, transparent) } .dim { opacity: .7 }`

const SCRIPT = `
const make = (tag, text, ...children) => {
  const node = document.createElement(tag)
  if (text) node.textContent = text
  node.append(...children)
  return node
}
const typeOf = (schema) => {
  if (!schema) return ''
  if (schema.$ref) return schema.$ref.split('/').pop()
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  for (const key of ['anyOf', 'oneOf']) if (schema[key]) return schema[key].map(typeOf).join(' | ')
  if (schema.type === 'array') return typeOf(schema.items) + '[]'
  return Array.isArray(schema.type) ? schema.type.join(' | ') : schema.type ?? 'any'
}
const table = (rows) => make('table', '', ...rows.map((cells) => make('tr', '', ...cells.map((cell) => make('td', cell)))))
const fields = (schema) => table(Object.entries(schema.properties ?? {}).map(([name, field]) =>
  [name + (schema.required?.includes(name) ? ' *' : ''), typeOf(field), field.description ?? '']))
const section = (title, content) => [make('h4', title), content]
const operation = (path, method, op, schemas) => {
  const node = make('details', '', make('summary', '', make('b', method.toUpperCase()), make('code', path), make('span', ' ' + (op.summary ?? ''))))
  node.id = op.operationId ?? ''
  if (op.description) node.append(make('p', op.description))
  if (op.parameters) node.append(...section('Parameters', table(op.parameters.map((one) =>
    [one.name + (one.required ? ' *' : ''), one.in, typeOf(one.schema), one.description ?? one.schema?.description ?? '']))))
  const body = op.requestBody?.content?.['application/json']?.schema
  const named = body?.$ref ? schemas[body.$ref.split('/').pop()] : body
  if (named) {
    node.append(...section('Body', fields(named)))
    for (const example of named.examples ?? []) node.append(make('pre', JSON.stringify(example, null, 2)))
  }
  node.append(...section('Responses', table(Object.entries(op.responses).map(([status, one]) =>
    [status, one.description, Object.entries(one.content ?? {}).map(([type, content]) => type + ' ' + typeOf(content.schema)).join(', ')]))))
  return node
}
const show = async () => {
  const api = await (await fetch('openapi.json')).json()
  const schemas = api.components?.schemas ?? {}
  const main = document.querySelector('main')
  main.replaceChildren(make('h1', api.info.title + ' ' + api.info.version), make('p', api.info.description))
  for (const tag of api.tags ?? []) {
    main.append(make('h2', tag.name), make('p', tag.description))
    for (const [path, methods] of Object.entries(api.paths))
      for (const [method, op] of Object.entries(methods))
        if (op.tags?.includes(tag.name)) main.append(operation(path, method, op, schemas))
  }
  main.append(make('h2', 'Objects'))
  for (const [name, schema] of Object.entries(schemas)) {
    const node = make('details', '', make('summary', '', make('code', name)), fields(schema))
    node.id = name
    main.append(node)
  }
  main.append(make('h2', 'Error codes'))
  const codes = table((api['x-error-codes'] ?? []).map((one) => [one.code, String(one.status), one.retryable ? 'retryable' : '', one.hint]))
  codes.querySelectorAll('tr').forEach((row) => { row.id = 'error-' + row.firstChild.textContent })
  main.append(codes)
  document.getElementById(location.hash.slice(1))?.scrollIntoView()
}
show().catch((error) => { document.querySelector('main').textContent = 'Failed to read openapi.json: ' + error.message })`

export const DOCS_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Switchyard API</title><style>${STYLE}</style></head>
<body><main>Loading <a href="openapi.json">openapi.json</a> …</main><script>${SCRIPT}</script></body>
</html>
`
