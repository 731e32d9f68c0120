/** The library: open an instance in your own program, and mount its API in your own app. */
export { openInstance } from './http/open-instance.ts'
export type { OpenedInstance, OpenOptions } from './instance/compose-instance.ts'
export {
  type Configuration,
  type ConfigurationDocument,
  type ConfigurationOptions,
  loadConfiguration,
} from './instance/configuration.ts'
export type * from './instance/instance.ts'
export { DavitError, type ErrorCode } from './model/errors.ts'
export type { DavitEvent, EventType } from './model/event.ts'
export type { RunSummary } from './model/run.ts'
