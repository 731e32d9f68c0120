/** Files as the API shows them. */
import { createHash } from 'node:crypto'
import type { Database } from '../database/database.ts'
import { dirtiness, liveState } from '../model/dirtiness.ts'
import type { FileState, FileTriple, InstanceId } from '../model/file-state.ts'
import { canonicalJson } from '../model/json.ts'
import type { FileStatus, FileView } from './instance.ts'

/** `null` when no tree has the file. */
export function fileView(database: Database, triple: FileTriple, instance: InstanceId): FileView | null {
  const state = shownState(triple)
  if (state === null) return null
  const isDeleted = triple.local === null && liveState(triple) === null
  return {
    id: triple.id,
    path: state.path,
    kind: state.kind,
    size: state.size,
    hash: state.hash,
    mode: state.executable ? 0o755 : 0o644,
    mtime: isoOf(state.mtimeUs),
    metadata: state.metadata,
    status: statusOf(database, triple, instance),
    revision: revisionOf(state),
    deletedAt: isDeleted ? (triple.remote?.deletedAt ?? null) : null,
  }
}

/** What stands in the workspace; for what does not, what stands in the store. */
export function shownState(triple: FileTriple): FileState | null {
  if (triple.local !== null && triple.local.absence === null) return triple.local.state
  return triple.remote?.state ?? triple.local?.state ?? null
}

/** A token that changes with everything that is shown of a file, but for its modification time. */
export function revisionOf(state: FileState): string {
  const { path, kind, size, hash, executable, metadata } = state
  return createHash('sha256')
    .update(canonicalJson([path, kind, size, hash, executable, metadata]))
    .digest('hex')
    .slice(0, 16)
}

function statusOf(database: Database, triple: FileTriple, instance: InstanceId): FileStatus {
  const conflicts = database.conflicts.ofFile(triple.id)
  if (conflicts.length > 0) return 'conflict'
  if (triple.local !== null && triple.local.absence === 'unrepresentable') return 'problem'
  return dirtiness(triple, conflicts, instance) === 'dirty' ? 'pending' : 'synced'
}

/** Whole microseconds as ISO 8601; what a date cannot express is clamped. */
export function isoOf(mtimeUs: number): string {
  const limit = 8_640_000_000_000_000
  return new Date(Math.max(-limit, Math.min(limit, Math.floor(mtimeUs / 1000)))).toISOString()
}
