// What other services import: the api, to run it in their process.

export { type Api, type ApiDeps, createApi } from './app.ts'
export { type Address, type Serving, serve } from './http/serve.ts'
