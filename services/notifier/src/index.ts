// The notifier as a part of a process, for the embedded way.

export { type Notifier, type NotifierDeps, startNotifier } from './notifier.ts'
