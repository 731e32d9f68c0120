/** Where changes are noticed: the system's events, or walks that are compared. What comes out are hints, never truths. */
import type { FilePath } from '../model/file-state.ts'

export interface ChangeSink {
  /** These paths, and everything below them, may have changed. */
  paths(paths: readonly FilePath[]): void
  /** Something was missed, or may have been. */
  lost(reason: string): void
  /** Something was missed, or may have been, and this source may go on missing things: another one is needed. */
  stale(reason: string): void
  /** This source will report nothing more. */
  failed(reason: string): void
}

export interface ChangeSource {
  /** Resolves `true` when every change finished before the call has reached the sink; `false` if that cannot be told. */
  probe(signal: AbortSignal): Promise<boolean>
  close(): Promise<void>
}

/** Paths that wait to be reported; beyond it the answer is "everything". */
export const pendingPathsMax = 5_000
/** In the workspace's own state folder: a file made here shows that the events before it have been seen. */
export const probeFolderName = '.davit/probe'
/** How long an answer to a probe is waited for. */
export const probeTimeoutMs = 2_000
