/** What the routes are given. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from 'hono'
import type { Instance } from '../instance/instance.ts'
import type { Clock } from '../model/clock.ts'

/** The verbs that the API translates to. */
export type ApiInstance = Omit<Instance, 'routes' | 'close' | 'on'>

export interface ApiContext {
  /** The instance; asked anew for each request. */
  readonly instance: () => ApiInstance
  readonly clock: Clock
  /** Told of errors that nobody foresaw, for the log. */
  readonly report: (error: unknown) => void
}

/** What `serve` hands to each request; absent where another server runs the app. */
export interface ServerBindings {
  readonly incoming?: IncomingMessage
  readonly outgoing?: ServerResponse
  /** Aborted when the server closes. */
  readonly closing?: AbortSignal
}

export function bindingsOf(c: Context): ServerBindings {
  return (c.env ?? {}) as ServerBindings
}
