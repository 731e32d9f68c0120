/** Whether a file needs the attention of a sync: the rule behind the `dirty` set, kept with every write to a tree. */
import { type Aspect, changedAspects } from './compare-states.ts'
import type { Conflict } from './conflict.ts'
import type { FileState, FileTriple, InstanceId, Metadata } from './file-state.ts'
import { equalJson } from './json.ts'

/** `minor`: only modification times differ; committed with the next commit that has another reason. */
export type Dirtiness = 'clean' | 'minor' | 'dirty'

/** The state that the remote tree asks for: `null` for a tombstone. */
export function liveState(triple: FileTriple): FileState | null {
  return triple.remote === null || triple.remote.deletedVersion !== null ? null : triple.remote.state
}

/** The state that the local tree stands for. What is not looked for on disk stands for what was agreed. */
export function effectiveLocal(triple: FileTriple): FileState | null {
  if (triple.local === null) return null
  return triple.local.absence === null ? triple.local.state : triple.synced
}

/**
 * Whether this instance's side of an open conflict stands exactly as it is written in the conflict, so that the
 * difference waits for a resolution and is no work for a sync.
 */
export function isHeld(
  aspect: Aspect,
  local: FileState,
  conflicts: readonly Conflict[],
  instance: InstanceId,
): boolean {
  // A modification time belongs to its content: while the content waits, so does its time.
  if (aspect === 'mtime') return isHeld('content', local, conflicts, instance)
  const conflict = conflicts.find((open) => open.aspect === aspect)
  const own = conflict?.candidates.find((candidate) => candidate.instance === instance)
  if (own === undefined) return false
  if (aspect === 'content') return own.hash === local.hash
  return equalJson(own.value ?? null, fieldValue(local.metadata, aspect.slice('metadata.'.length)))
}

/** A metadata field's value; `null` where it is absent. */
export function fieldValue(metadata: Metadata, field: string) {
  return Object.hasOwn(metadata, field) ? (metadata[field] ?? null) : null
}

/** `conflicts` are the open conflicts of this file. */
export function dirtiness(
  triple: FileTriple,
  conflicts: readonly Conflict[],
  instance: InstanceId,
): Dirtiness {
  const local = effectiveLocal(triple)
  const remote = liveState(triple)
  const here = changedAspects(triple.synced, local).filter(
    (aspect) => local === null || !isHeld(aspect, local, conflicts, instance),
  )
  const there = changedAspects(triple.synced, remote)
  if (isOutOfDate(triple, conflicts, instance)) return 'dirty'
  if (here.length === 0 && there.length === 0) return 'clean'
  return [...here, ...there].every((aspect) => aspect === 'mtime') ? 'minor' : 'dirty'
}

/**
 * Whether this instance's side of an open conflict is another one than is written in it, or the committed side has
 * become equal to it: then the conflict has to be changed or closed, even where all three trees agree.
 */
function isOutOfDate(triple: FileTriple, conflicts: readonly Conflict[], instance: InstanceId): boolean {
  const remote = liveState(triple)
  if (triple.local === null || triple.local.absence !== null || remote === null) return false
  const { state } = triple.local
  return conflicts.some(
    ({ aspect, candidates }) =>
      candidates.some((candidate) => candidate.instance === instance) &&
      (!isHeld(aspect, state, conflicts, instance) || isHeld(aspect, remote, conflicts, instance)),
  )
}
