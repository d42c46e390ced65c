// The api as a part of a process, for the embedded way.

export { type Api, type ApiDeps, createApi } from './app.ts'
export { type Address, type Serving, serve } from './http/serve.ts'
