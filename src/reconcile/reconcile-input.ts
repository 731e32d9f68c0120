/** What a decision is made on. */
import type { Conflict, ConflictPolicy } from '../model/conflict.ts'
import type { ContentHash, FileId, FileState, InstanceId } from '../model/file-state.ts'

export interface ReconcileInput {
  readonly id: FileId
  /** `null`: not there. */
  readonly local: FileState | null
  readonly synced: FileState | null
  /** `null`: not there, or a tombstone. */
  readonly remote: FileState | null
  /** Open conflicts of this file. */
  readonly conflicts: readonly Conflict[]
  readonly instance: { readonly id: InstanceId; readonly name: string }
  readonly policy: ConflictPolicy
  /** The outcome of a merge that an earlier decision asked for (`needsMerge`), made on exactly these contents. */
  readonly merge:
    | { readonly kind: 'merged'; readonly hash: ContentHash; readonly size: number }
    | { readonly kind: 'conflict' }
    | null
  /** For the names of copies: ISO 8601, UTC. */
  readonly now: string
}

/** A file that both sides have. */
export interface BothSides {
  readonly local: FileState
  readonly synced: FileState | null
  readonly remote: FileState
}
