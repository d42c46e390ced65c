// The notifier without its process, for the embedded service.

export { type Notifier, type NotifierDeps, startNotifier } from './notifier.ts'
