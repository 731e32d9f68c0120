/** What travels between the workspace and its workers: plain data only. */
import { DavitError, type ErrorAction, type ErrorCode, isDavitError } from '../model/errors.ts'
import type { FilePath } from '../model/file-state.ts'
import type { JsonObject } from '../model/json.ts'
import type { IgnoreSource } from './ignore-rules.ts'
import type { HashedFile, ScanBatch } from './workspace.ts'

export interface PlainError {
  readonly code: ErrorCode
  readonly action: ErrorAction
  readonly message: string
  readonly hint: string | null
  readonly details: JsonObject
}

export type ScanRequest =
  | {
      readonly kind: 'start'
      readonly id: number
      readonly root: string
      readonly under: FilePath
      readonly ignore: IgnoreSource
    }
  /** One more batch may be sent. */
  | { readonly kind: 'more'; readonly id: number }
  | { readonly kind: 'stop'; readonly id: number }

export type ScanReply =
  | { readonly kind: 'batch'; readonly id: number; readonly batch: ScanBatch }
  | { readonly kind: 'end'; readonly id: number; readonly error: PlainError | null }

export interface HashRequest {
  readonly root: string
  readonly paths: readonly FilePath[]
  /** One cell per path; not 0: nobody waits for it any more. */
  readonly cancelled: SharedArrayBuffer
}

export interface HashReply {
  readonly results: readonly HashResult[]
  /** The request is done; the worker waits for the next one. */
  readonly last: boolean
}

/** `racy` is left to the asker, who has the clock. */
export type HashResult =
  | { readonly index: number; readonly file: Omit<HashedFile, 'racy'> }
  | { readonly index: number; readonly error: PlainError }

export type WatchRequest =
  | {
      readonly kind: 'start'
      readonly root: string
      readonly ignore: IgnoreSource
      readonly probeFolder: string
    }
  | { readonly kind: 'probe'; readonly id: number }

export type WatchReply =
  | { readonly kind: 'started' }
  | { readonly kind: 'paths'; readonly paths: readonly FilePath[] }
  /** Events were lost, or may have been. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** The same, and folders may be unwatched: the watching has to begin anew. */
  | { readonly kind: 'stale'; readonly reason: string }
  /** Watching is impossible (no watches left, no permission): nothing more will be reported. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** Every event before the probe has been sent; `false` where the probe could not be made. */
  | { readonly kind: 'probed'; readonly id: number; readonly ok: boolean }

export function encodeError(error: unknown): PlainError {
  const known = isDavitError(error)
    ? error
    : new DavitError('internal', `A worker failed: ${String(error)}`, { action: 'give-up' })
  return {
    code: known.code,
    action: known.action,
    message: known.message,
    hint: known.hint ?? null,
    details: known.details,
  }
}

export function decodeError(plain: PlainError): DavitError {
  const { code, action, message, hint, details } = plain
  return new DavitError(code, message, { action, details, ...(hint === null ? {} : { hint }) })
}
