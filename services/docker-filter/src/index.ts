// The filter without its process, for tests.

export { engineAddress } from './engine-calls.ts'
export { Filter } from './filter.ts'
