/** A run of the engine, told as values: what set it off, what came of it, what could not be done. */
import type { FilePath } from './file-state.ts'

export type Trigger = 'start' | 'watch' | 'poll' | 'request' | 'command' | 'resolution' | 'retry' | 'schedule'
export type RunKind = 'incremental' | 'full' | 'dry-run'
export type Outcome = 'in-sync' | 'conflicts' | 'halted' | 'unreachable' | 'failed'
export type Phase = 'scan' | 'check' | 'pull' | 'plan' | 'apply' | 'push' | 'commit'

/** Data about one path: it could not be done, or has to be known, and the run went on. */
export interface Problem {
  readonly path: FilePath
  readonly code: string
  readonly detail: string
}

export interface RunSummary {
  readonly runId: string
  readonly kind: RunKind
  readonly trigger: Trigger
  readonly outcome: Outcome
  /** The remote version that the workspace agreed with at the end. */
  readonly version: number
  /** Contents sent and fetched. */
  readonly uploaded: number
  readonly downloaded: number
  /** Files deleted, moved or changed in metadata only, on either side. */
  readonly deleted: number
  readonly moved: number
  readonly metadata: number
  /** Open at the end. */
  readonly conflicts: number
  readonly problems: readonly Problem[]
  readonly requests: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly startedAt: string
  readonly endedAt: string
  readonly durationMs: number
  /** Milliseconds spent in each phase. */
  readonly phases: Readonly<Partial<Record<Phase, number>>>
  /** Why it did not end in sync. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
}
