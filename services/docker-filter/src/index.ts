// The filter as a part of a process, for its tests.

export { engineAddress } from './engine-calls.ts'
export { Filter } from './filter.ts'
