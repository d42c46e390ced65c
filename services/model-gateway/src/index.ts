// Starts the model gateway, counts what it serves, and reports which providers it has.

export { type StartedGateway, startModelGateway } from './start-gateway.ts'
