/** What an operation of the chain makes of an open conflict. Pure. */
import type { Operation } from '../model/changeset.ts'
import type { Conflict } from '../model/conflict.ts'

type ConflictOperation = Extract<Operation, { readonly kind: 'conflict' }>

/**
 * The conflict after the operation; `null` when its last candidate went. A candidate that comes in replaces the one
 * of its instance.
 */
export function changeConflict(
  open: Conflict | null,
  operation: ConflictOperation,
  at: { readonly version: number; readonly time: string },
): Conflict | null {
  const gone = (instance: string, hash: string) =>
    operation.remove.some((side) => side.instance === instance && side.hash === hash) ||
    operation.add.some((side) => side.instance === instance)
  const kept = (open?.candidates ?? []).filter((side) => !gone(side.instance, side.hash))
  const candidates = [...kept, ...operation.add]
  if (candidates.length === 0) return null
  return {
    id: operation.id,
    fileId: operation.fileId,
    path: open?.path ?? operation.path,
    kind: open?.kind ?? operation.conflict,
    aspect: operation.aspect,
    base: open === null ? operation.base : open.base,
    candidates,
    detectedAt: open?.detectedAt ?? at.time,
    version: at.version,
  }
}
