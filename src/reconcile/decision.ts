/** What `reconcile` decides about one file, as a value that can be printed, tested and acted on. */
import type { ConflictAspect, ConflictBase, ConflictId, ConflictKind } from '../model/conflict.ts'
import type { ContentHash, FileId, FilePath, FileState } from '../model/file-state.ts'
import type { JsonValue } from '../model/json.ts'

/** Ids of the rows of docs/spec/reconcile.md. */
export type RuleId =
  | 'R1-clean'
  | 'R2-push'
  | 'R3-pull'
  | 'R4-adopt'
  | 'R5-forget'
  | 'R6-edit-wins-restore'
  | 'R7-edit-wins-recommit'
  | 'R8-deletion-wins'
  | 'R9-committed-path-wins'
  | 'R10-merge-content'
  | 'R11-content-conflict'
  | 'R12-merge-metadata'
  | 'R13-metadata-conflict'
  | 'R14-create-conflict'
  | 'R15-renamed-aside'
  | 'R16-path-taken'
  | 'R17-conflict-held'
  | 'R18-conflict-updated'
  | 'R19-conflict-closed'
  | 'R20-policy'
  | 'R21-mode-committed-wins'

/** Something that people should hear of although it was settled by a rule. */
export interface Notice {
  readonly rule: RuleId
  readonly path: FilePath
  /** One sentence. */
  readonly detail: string
}

/** A change to an open conflict, or a new one. `own` is this instance's side. */
export type ConflictChange =
  | {
      readonly change: 'open' | 'update'
      readonly id: ConflictId
      readonly kind: ConflictKind
      readonly aspect: ConflictAspect
      readonly base: ConflictBase | null
      readonly own: { readonly hash: ContentHash; readonly size: number; readonly value?: JsonValue }
      /** Hash of the own candidate that it replaces. */
      readonly replaces: ContentHash | null
    }
  /** The sides became equal: this instance's candidate goes, and the conflict with its last candidate. */
  | {
      readonly change: 'withdraw'
      readonly id: ConflictId
      readonly aspect: ConflictAspect
      readonly hash: ContentHash
    }
  /** The file was deleted here: that resolves it. */
  | { readonly change: 'deleted'; readonly id: ConflictId; readonly aspect: ConflictAspect }

/**
 * The three trees as they shall be. Where nothing is in conflict all three are equal (but for times). `null`: not
 * there. What differs from the tree's present state is the work to do.
 */
export interface Decision {
  readonly id: FileId
  /** At least one; in the order in which they applied. */
  readonly rules: readonly RuleId[]
  readonly local: FileState | null
  readonly remote: FileState | null
  readonly synced: FileState | null
  readonly conflicts: readonly ConflictChange[]
  readonly notices: readonly Notice[]
  /** By policy `both`: this instance's content goes to a new file beside it. The path is to be made free and unique. */
  readonly copy: { readonly path: FilePath; readonly state: FileState } | null
  /** The contents have to be merged first: do that, and reconcile again with the outcome. */
  readonly needsMerge: {
    readonly base: ContentHash | null
    readonly local: ContentHash
    readonly remote: ContentHash
  } | null
}
