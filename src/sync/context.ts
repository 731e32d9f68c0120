/** What a sync works with: the ports, the instance it speaks for, and the settings. Handed down, never reached for. */
import type { Database } from '../database/database.ts'
import type { Clock, Random } from '../model/clock.ts'
import type { ConflictPolicy } from '../model/conflict.ts'
import type { ContentMerger } from '../model/content-merger.ts'
import type { EventDraft } from '../model/event.ts'
import type { FilePath, InstanceId } from '../model/file-state.ts'
import type { Remote } from '../remote/remote.ts'
import type { Workspace } from '../workspace/workspace.ts'

export interface SyncSettings {
  /** Files looked at together. */
  readonly batch: number
  /** Transfers under way at once. */
  readonly concurrency: number
  readonly maxDelete: { readonly fraction: number; readonly atLeast: number }
  /** The policy for a path. */
  policyFor(path: FilePath): ConflictPolicy
  /** No checkpoint is written before the changesets since the last one have so many stored bytes. */
  readonly checkpointBytesMin: number
  /** A page that places more files than this does without an fsync for each; see verify-pulled. */
  readonly durableFilesMax: number
  readonly retry: { readonly attempts: number; readonly baseMs: number; readonly maxMs: number }
}

export interface SyncContext {
  readonly workspace: Workspace
  readonly remote: Remote
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly merger: ContentMerger
  /** May change its id while running (a clone was noticed), hence a function. */
  readonly instance: () => { readonly id: InstanceId; readonly name: string; readonly incarnation: string }
  readonly settings: SyncSettings
  emit(event: EventDraft): void
  /** The same for many at once, in their order. */
  emitAll(events: readonly EventDraft[]): void
}

/** Lets timers, requests and the API have their turn between two blocks of synchronous work. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The wall clock as ISO 8601 in UTC. */
export function nowIso(context: { readonly clock: Clock }): string {
  return new Date(context.clock.now()).toISOString()
}
