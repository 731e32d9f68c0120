/** The port through which structured contents are merged; given by `instance/`. Pure: no I/O, no clock. */
import type { FilePath } from './file-state.ts'

export interface MergeInput {
  readonly path: FilePath
  readonly base: Uint8Array | null
  readonly local: Uint8Array
  readonly remote: Uint8Array
}

export type MergeResult =
  | { readonly kind: 'merged'; readonly content: Uint8Array }
  /** Not mergeable, or the changes touch; `reason` is a sentence for people. */
  | { readonly kind: 'conflict'; readonly reason: string }

export interface ContentMerger {
  merge(input: MergeInput): MergeResult
}
