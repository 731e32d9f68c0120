/** Conflicts: two edits of one aspect that do not merge. Shared through the chain, the same on every instance. */
import type { ContentHash, FileId, FilePath, InstanceId } from './file-state.ts'
import type { JsonValue } from './json.ts'

/** Lower-case hexadecimal, 32 characters; see `conflictId` in reconcile. */
export type ConflictId = string

/** What is in conflict: the bytes, or one metadata field. */
export type ConflictAspect = 'content' | `metadata.${string}`
/** `edit`: both changed what both had. `create`: both created a file at one path. `metadata`: one field. */
export type ConflictKind = 'edit' | 'create' | 'metadata'

/** One instance's side. The committed side is the file's own state and is not listed here. */
export interface Candidate {
  readonly instance: InstanceId
  /** The instance's name when it spoke. */
  readonly name: string
  /** Hash of the content; for metadata, of the value's canonical JSON. */
  readonly hash: ContentHash
  readonly size: number
  /** The field's value for `metadata.*` (`null` also stands for an absent field); absent for content. */
  readonly value?: JsonValue
  /** ISO 8601, UTC, by that instance's clock. */
  readonly at: string
}

/** What both sides started from; `null` when nothing was there. */
export interface ConflictBase {
  readonly hash: ContentHash
  readonly size: number
  readonly value?: JsonValue
}

/** An open conflict as the chain states it. */
export interface Conflict {
  readonly id: ConflictId
  readonly fileId: FileId
  /** The path when it was detected. */
  readonly path: FilePath
  readonly kind: ConflictKind
  readonly aspect: ConflictAspect
  readonly base: ConflictBase | null
  /** At least one; at most one of each instance. */
  readonly candidates: readonly Candidate[]
  /** ISO 8601, UTC. */
  readonly detectedAt: string
  /** The version that last changed the conflict. */
  readonly version: number
}

export type ConflictPolicy = 'manual' | 'merge' | 'local' | 'remote' | 'both' | 'newest'
export type ResolutionStrategy = 'local' | 'remote' | 'both' | 'merge'
