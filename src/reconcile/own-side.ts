/** This instance's side of open conflicts: finding it, and the changes that a decision makes to it. */
import type { Candidate, Conflict, ConflictAspect, ConflictBase, ConflictKind } from '../model/conflict.ts'
import type { FileId, FilePath, InstanceId } from '../model/file-state.ts'
import { candidatesMax } from '../model/limits.ts'
import { conflictId } from './conflict-id.ts'
import type { ConflictChange } from './decision.ts'

type OwnValue = Extract<ConflictChange, { change: 'open' | 'update' }>['own']

/** The open conflict of one aspect; at most one is meaningful, the first as `isHeld` in the model has it. */
export function conflictOf(aspect: ConflictAspect, conflicts: readonly Conflict[]): Conflict | undefined {
  return conflicts.find((conflict) => conflict.aspect === aspect)
}

export function ownCandidate(conflict: Conflict | undefined, instance: InstanceId): Candidate | undefined {
  return conflict?.candidates.find((candidate) => candidate.instance === instance)
}

/** Whether this instance's side can still be written down in the conflict. */
export function hasRoom(conflict: Conflict, instance: InstanceId): boolean {
  return ownCandidate(conflict, instance) !== undefined || conflict.candidates.length < candidatesMax
}

export function openChange(
  on: {
    readonly fileId: FileId
    readonly path: FilePath
    readonly kind: ConflictKind
    readonly aspect: ConflictAspect
    readonly base: ConflictBase | null
  },
  own: OwnValue,
): ConflictChange {
  const id = conflictId({ ...on, base: on.base?.hash ?? null })
  return { change: 'open', id, kind: on.kind, aspect: on.aspect, base: on.base, own, replaces: null }
}

/** Adds this instance's side to an open conflict, or replaces it there. */
export function updateChange(conflict: Conflict, instance: InstanceId, own: OwnValue): ConflictChange {
  return {
    change: 'update',
    id: conflict.id,
    kind: conflict.kind,
    aspect: conflict.aspect,
    base: conflict.base,
    own,
    replaces: ownCandidate(conflict, instance)?.hash ?? null,
  }
}

/** Nothing when this instance has no side in it. */
export function withdrawChanges(conflict: Conflict | undefined, instance: InstanceId): ConflictChange[] {
  const own = ownCandidate(conflict, instance)
  if (conflict === undefined || own === undefined) return []
  return [{ change: 'withdraw', id: conflict.id, aspect: conflict.aspect, hash: own.hash }]
}
