/**
 * What a changeset does to the shared state, entry by entry, worked out without writing: the digest of a commit that
 * is being made and the check of one that is being applied come from the same place.
 */
import type { Database } from '../database/database.ts'
import type { Operation, StateDigest } from '../model/changeset.ts'
import type { Conflict, ConflictId } from '../model/conflict.ts'
import { changeDigest, type DigestEntry } from '../model/digest.ts'
import type { ContentHash, FileId, FilePath, FileState } from '../model/file-state.ts'
import { changeConflict } from './change-conflict.ts'

type Reading = Pick<Database, 'trees' | 'contents' | 'conflicts' | 'chain'>

/** The digest of the state after these operations on what the database holds now. */
export function digestAfter(
  database: Reading,
  operations: readonly Operation[],
  at: { readonly version: number; readonly time: string },
): StateDigest {
  const files = new Map<FileId, FileState | null>()
  const conflicts = new Map<ConflictId, Conflict | null>()
  const contents = new Map<ContentHash, { readonly size: number; readonly name: string } | null>()
  const add: DigestEntry[] = []
  const remove: DigestEntry[] = []

  const fileNow = (id: FileId) => {
    const known = files.get(id)
    if (known !== undefined) return known
    const remote = database.trees.remoteOf(id)
    return remote === null || remote.deletedVersion !== null ? null : remote.state
  }
  const conflictNow = (id: ConflictId) => {
    const known = conflicts.get(id)
    return known === undefined ? database.conflicts.get(id) : known
  }
  const setFile = (id: FileId, state: FileState | null) => {
    const before = fileNow(id)
    if (before !== null) remove.push({ kind: 'file', id, state: before })
    if (state !== null) add.push({ kind: 'file', id, state })
    files.set(id, state)
  }
  const setConflict = (id: ConflictId, conflict: Conflict | null) => {
    const before = conflictNow(id)
    if (before !== null) remove.push({ kind: 'conflict', conflict: before })
    if (conflict !== null) add.push({ kind: 'conflict', conflict })
    conflicts.set(id, conflict)
  }

  for (const operation of operations) {
    switch (operation.kind) {
      case 'put':
        setFile(operation.id, operation.after)
        break
      case 'delete':
        setFile(operation.id, null)
        break
      case 'conflict':
        setConflict(operation.id, changeConflict(conflictNow(operation.id), operation, at))
        break
      case 'resolve':
        setConflict(operation.id, null)
        break
      case 'object': {
        const known = contents.get(operation.hash)
        const before = known === undefined ? database.contents.find(operation.hash) : known
        if (before)
          remove.push({ kind: 'content', hash: operation.hash, size: before.size, name: before.name })
        add.push({ kind: 'content', hash: operation.hash, size: operation.size, name: operation.name })
        contents.set(operation.hash, { size: operation.size, name: operation.name })
        break
      }
      case 'notice':
      case 'checkpoint':
        break
    }
  }
  return changeDigest(database.chain.digest(), { add, remove })
}

/**
 * A path at which two live files would stand after these operations, each of which names its file and path once; `null`
 * when there is none. Checked on both sides of a commit: no checkpoint could be made of such a state.
 */
export function doubledPath(
  database: Pick<Database, 'trees'>,
  operations: readonly Operation[],
): FilePath | null {
  const changed = new Set<FileId>()
  for (const operation of operations)
    if (operation.kind === 'put' || operation.kind === 'delete') changed.add(operation.id)
  for (const operation of operations) {
    if (operation.kind !== 'put') continue
    const there = database.trees.remoteAt(operation.after.path)
    if (there !== null && there.id !== operation.id && !changed.has(there.id)) return operation.after.path
  }
  return null
}
