/** Errors by what the caller can do about them. Classified once, at the edge where they arise. */
import type { JsonObject } from './json.ts'
import { messageLengthMax } from './limits.ts'

/** The closed list of error codes. Stable: programs match on them. */
export type ErrorCode =
  // configuration and use
  | 'configuration-invalid'
  | 'workspace-missing'
  | 'state-missing'
  | 'state-locked'
  | 'state-newer'
  | 'bad-request'
  | 'not-found'
  | 'unauthorized'
  | 'forbidden'
  | 'conflict-stale'
  | 'precondition-failed'
  // remote: try again
  | 'remote-unreachable'
  | 'remote-busy'
  | 'remote-unexpected'
  | 'remote-full'
  // remote: ask
  | 'remote-unauthorized'
  | 'remote-missing'
  | 'remote-rolled-back'
  | 'remote-foreign'
  | 'remote-newer'
  | 'remote-damaged'
  | 'remote-too-large'
  // workspace
  | 'workspace-vanished'
  | 'workspace-replaced'
  | 'workspace-restored'
  | 'path-unsafe'
  | 'path-unrepresentable'
  | 'file-busy'
  | 'file-changed'
  | 'file-unreadable'
  | 'disk-full'
  // safety
  | 'deletion-guard'
  | 'stopped'
  | 'internal'

/** `retry`: the same call may succeed later. `ask`: a person has to decide. `give-up`: it will never succeed as it is. */
export type ErrorAction = 'retry' | 'ask' | 'give-up'

export interface ErrorOptions {
  readonly action: ErrorAction
  /** What the person can do next, as a sentence. */
  readonly hint?: string
  readonly details?: JsonObject
  readonly cause?: unknown
  /** The server's Retry-After, in milliseconds from now. */
  readonly retryAfterMs?: number
}

/** The one error class of the project. The message is a sentence for people and never contains a secret. */
export class DavitError extends Error {
  readonly code: ErrorCode
  readonly action: ErrorAction
  readonly hint: string | undefined
  readonly details: JsonObject
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options: ErrorOptions) {
    super(fitted(message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'DavitError'
    this.code = code
    this.action = options.action
    this.hint = options.hint
    this.details = options.details ?? {}
    this.retryAfterMs = options.retryAfterMs
  }
}

/** A message that quotes something long, such as a field's name of a megabyte, without its middle. */
function fitted(message: string): string {
  if (message.length <= messageLengthMax) return message
  const kept = Math.floor((messageLengthMax - 1) / 2)
  return `${message.slice(0, kept)}…${message.slice(-kept)}`.toWellFormed()
}

/** Whether an unknown thrown value is a DavitError, of one of these codes if any are given. */
export function isDavitError(error: unknown, ...codes: ErrorCode[]): error is DavitError {
  return error instanceof DavitError && (codes.length === 0 || codes.includes(error.code))
}

/** Marks a branch that the types rule out. */
export function unreachable(value: never): never {
  throw new DavitError('internal', `unexpected value: ${JSON.stringify(value)}`, { action: 'give-up' })
}
