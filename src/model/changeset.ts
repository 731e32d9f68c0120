/** The chain: changesets and their operations, as values. Their bytes are made in `remote/changeset-format`. */
import type {
  Candidate,
  ConflictAspect,
  ConflictBase,
  ConflictId,
  ConflictKind,
  ResolutionStrategy,
} from './conflict.ts'
import type { ContentHash, FileId, FilePath, FileState, InstanceId } from './file-state.ts'

/** SHA-256 of a changeset's stored bytes, lower-case hexadecimal. */
export type ChangesetHash = string
/** 32 bytes as lower-case hexadecimal: the sum mod 2^256 of the hashes of all entries (see `digest.ts`). */
export type StateDigest = string

/** A place in the chain. Version 0 with 64 zeros is the empty store. */
export interface ChainPoint {
  readonly version: number
  readonly hash: ChangesetHash
}

/** The head of a store that holds no changeset yet. */
export const emptyStorePoint: ChainPoint = { version: 0, hash: '0'.repeat(64) }

/** The lower-case name of an object in the store, relative to its root, such as `ab/abcd…-token`. */
export type ObjectName = string

/** Where a checkpoint lies and which state it holds. */
export interface CheckpointReference {
  readonly version: number
  /** Hash of the changeset at that version. */
  readonly chainHash: ChangesetHash
  readonly name: ObjectName
  /** SHA-256 of the file. */
  readonly hash: ContentHash
  readonly size: number
}

export interface ChangesetHeader {
  readonly format: 1
  readonly version: number
  readonly parent: ChangesetHash
  readonly replicaSet: string
  readonly instance: { readonly id: InstanceId; readonly name: string; readonly incarnation: string }
  /** Random: no two changesets ever have the same bytes. */
  readonly nonce: string
  /** ISO 8601, UTC, by the author's clock. For people. */
  readonly at: string
  readonly operations: number
  /** Hashes of the preceding changesets, nearest first: the parent, its parent, … at most 32, down to version 1. */
  readonly ancestors: readonly ChangesetHash[]
  /** Hashes of orphaned changesets whose effect this one takes in. */
  readonly adopts: readonly ChangesetHash[]
  /** Of the state after this changeset. */
  readonly digest: StateDigest
  /** The newest checkpoint known after this changeset; `null` while there is none. */
  readonly checkpoint: CheckpointReference | null
}

/** The fields of a state that an operation changes, with the values they had. */
export type Before = Partial<FileState>

export type Operation =
  /** Creates (`before` is `null`) or changes a file; `after` is its whole state. A tombstone may come to life again. */
  | { readonly kind: 'put'; readonly id: FileId; readonly before: Before | null; readonly after: FileState }
  /** The deletion flag. `before` is the whole last state. */
  | { readonly kind: 'delete'; readonly id: FileId; readonly before: FileState }
  /**
   * Opens a conflict or changes its candidates: `add` comes in, `remove` names what goes. A candidate of an instance
   * that has one already replaces it and names it in `remove`.
   */
  | {
      readonly kind: 'conflict'
      readonly id: ConflictId
      readonly fileId: FileId
      readonly path: FilePath
      readonly conflict: ConflictKind
      readonly aspect: ConflictAspect
      readonly base: ConflictBase | null
      readonly add: readonly Candidate[]
      readonly remove: readonly { readonly instance: InstanceId; readonly hash: ContentHash }[]
    }
  /**
   * Closes a conflict. `decided` lists the hashes of every side it was made on; `before` is the conflict as it was
   * open, so that the operation can be taken back.
   */
  | {
      readonly kind: 'resolve'
      readonly id: ConflictId
      readonly fileId: FileId
      readonly strategy: ResolutionStrategy | 'equal' | 'deleted'
      readonly decided: readonly ContentHash[]
      readonly before: {
        readonly path: FilePath
        readonly conflict: ConflictKind
        readonly aspect: ConflictAspect
        readonly base: ConflictBase | null
        readonly candidates: readonly Candidate[]
        readonly detectedAt: string
        readonly version: number
      }
    }
  /** Where a content lies from now on. `before` names the object it replaces. */
  | {
      readonly kind: 'object'
      readonly hash: ContentHash
      readonly size: number
      readonly name: ObjectName
      readonly before: ObjectName | null
    }
  /** Something that was settled by a rule, told to everybody. Changes no state. */
  | {
      readonly kind: 'notice'
      readonly fileId: FileId
      readonly path: FilePath
      /** The id of the rule (docs/spec/reconcile.md). */
      readonly rule: string
      /** One sentence. */
      readonly detail: string
    }
  /** A checkpoint was written. */
  | {
      readonly kind: 'checkpoint'
      readonly checkpoint: CheckpointReference
      readonly before: CheckpointReference | null
    }

/** A changeset that was read and checked: size, hash, grammar, version. */
export interface Changeset {
  readonly point: ChainPoint
  readonly header: ChangesetHeader
  readonly operations: readonly Operation[]
  /** As stored (gzip). Kept in the journal. */
  readonly bytes: Uint8Array
}
