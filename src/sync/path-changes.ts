/**
 * Which paths the files of a page go to, written down before its first step: until its end the index knows none of
 * them. Where the process ends or the run fails in between, the index follows what the steps did to the disk. Seen by a
 * scan instead, a file at the path of another one is that one edited, as editors save: what a pull had moved to there
 * would become its content, and the file that was moved a deleted one.
 */
import { liveState } from '../model/dirtiness.ts'
import { isDavitError } from '../model/errors.ts'
import type { ContentHash, FileId, FilePath, LocalFile } from '../model/file-state.ts'
import { carriedOut, type Leaving } from '../reconcile/carried-out.ts'
import type { Step } from '../reconcile/order-steps.ts'
import { foldPath } from '../reconcile/portable-path.ts'
import type { SyncContext } from './context.ts'

export type PathChanges = {
  /** Files that leave their path, also by way of a parked name; of those that are removed the ones that are replaced. */
  readonly leavings: readonly {
    readonly id: FileId
    readonly from: FilePath
    /** `null`: it is removed. */
    readonly to: FilePath | null
    /** The new content that it gets there. */
    readonly hash: ContentHash | null
  }[]
  /** New files that come to where one of those stood. */
  readonly comings: readonly { readonly id: FileId; readonly path: FilePath; readonly hash: ContentHash }[]
}

/** `hashOf`: the content that is placed for a file. */
export function pathChangesOf(
  steps: readonly Step[],
  hashOf: (id: FileId) => ContentHash | null,
): PathChanges {
  const places = steps.flatMap((step) => (step.kind === 'place' ? [step] : []))
  const placed = new Set(places.map(({ id }) => id))
  const parked = new Map(steps.flatMap((step) => (step.kind === 'park' ? [[step.id, step.path]] : [])))
  const taken = new Set([
    ...places.map(({ path }) => path),
    ...steps.flatMap((step) => (step.kind === 'move' ? [step.to] : [])),
    ...steps.flatMap((step) => (step.kind === 'unpark' ? [step.path] : [])),
  ])
  const leavings = steps.flatMap((step): PathChanges['leavings'][number][] => {
    if (step.kind === 'remove')
      return taken.has(step.path) ? [{ id: step.id, from: step.path, to: null, hash: null }] : []
    if (step.kind !== 'move' && step.kind !== 'unpark') return []
    const from = step.kind === 'move' ? step.from : parked.get(step.id)
    const to = step.kind === 'move' ? step.to : step.path
    // Where the disk takes both for one name it never leaves.
    if (from === undefined || foldPath(from) === foldPath(to)) return []
    return [{ id: step.id, from, to, hash: placed.has(step.id) ? hashOf(step.id) : null }]
  })
  const left = new Set(leavings.map(({ from }) => from))
  const leavers = new Set(leavings.map(({ id }) => id))
  const comings = places.flatMap(({ id, path }) => {
    const hash = left.has(path) && !leavers.has(id) ? hashOf(id) : null
    return hash === null ? [] : [{ id, path, hash }]
  })
  return { leavings, comings }
}

/** Before the next scan, once nothing has two names and nothing is parked any more. */
export async function followPathChanges(
  context: SyncContext,
  { leavings, comings }: PathChanges,
): Promise<void> {
  const { trees } = context.database
  const seen: (Leaving & { readonly row: LocalFile | null })[] = []
  for (const { id, from, to, hash } of leavings) {
    const { local } = trees.triple(id)
    const isWritten = local !== null && local.absence === null && local.state.path === to
    const row = local !== null && local.absence === null && local.state.path === from ? local : null
    const hasLeft = row === null || !(await isAt(context, from, row))
    const isThere =
      row !== null && to !== null && ((await isAt(context, to, row)) || (await holds(context, to, hash)))
    seen.push({ from, to, hasLeft, hasArrived: isWritten || isThere, row })
  }
  const arrived: FilePath[] = []
  for (const { id, path, hash } of comings)
    if (trees.triple(id).local?.state.path === path || (await holds(context, path, hash))) arrived.push(path)
  context.database.transaction(() => {
    for (const { row, to } of carriedOut(seen, arrived)) {
      if (row === null) continue
      if (to !== null) {
        trees.putLocal({ ...row, state: { ...row.state, path: to } })
        continue
      }
      trees.removeLocal(row.id)
      // Gone on both sides: whatever stands at its path now was not made from it.
      if (liveState(trees.triple(row.id)) === null) trees.putSynced(row.id, null)
    }
  })
}

/** Whether the file of this row stands there, whatever became of its content. */
async function isAt({ workspace }: SyncContext, path: FilePath, { stamp }: LocalFile): Promise<boolean> {
  const found = await workspace.look(path)
  if (found?.kind !== 'file' || stamp === null) return false
  return found.stamp.inode === stamp.inode && found.stamp.birthtimeMs === stamp.birthtimeMs
}

async function holds({ workspace }: SyncContext, path: FilePath, hash: ContentHash | null): Promise<boolean> {
  if (hash === null || (await workspace.look(path))?.kind !== 'file') return false
  try {
    return (await workspace.hash(path)).hash === hash
  } catch (error) {
    // Somebody is at work there: then it is theirs.
    if (!isDavitError(error, 'file-changed', 'file-unreadable', 'file-busy')) throw error
    return false
  }
}
