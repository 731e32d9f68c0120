/**
 * What the steps of a page leave on the disk for a moment, written down before the first of them: a file that is moved
 * has two names, a folder that is made, or that was emptied, stands there with nothing in it, and until the end of the
 * page the index knows none of the paths that files went to. A process that ends in the middle leaves that behind, and
 * the next scan would take it for somebody's wish.
 */
import { isDavitError } from '../model/errors.ts'
import type { ContentHash, DiskStamp, FileId, FilePath } from '../model/file-state.ts'
import type { JsonObject } from '../model/json.ts'
import { ancestorsOf, comparePaths } from '../model/path.ts'
import type { Step } from '../reconcile/order-steps.ts'
import { foldPath } from '../reconcile/portable-path.ts'
import type { SyncContext } from './context.ts'
import { followPathChanges, type PathChanges, pathChangesOf } from './path-changes.ts'
import { recoverParked } from './recover-parked.ts'

/** Written by `noteUnfinished`, gone when the steps of its page are done. */
const unfinishedKey = 'sync.unfinished'

type Unfinished = {
  readonly moves: readonly { readonly from: FilePath; readonly to: FilePath; readonly inode: number }[]
  /** Absent in what an older Davit wrote. */
  readonly changes?: PathChanges
  /** Deepest last. */
  readonly folders: readonly FilePath[]
  /** What it is a copy of stands where it stood. */
  readonly copy: { readonly path: FilePath; readonly hash: ContentHash } | null
}

/** ORDER: durable before the copy stands; forgotten together with the row that tells of it. */
export function noteCopy({ database }: SyncContext, copy: NonNullable<Unfinished['copy']>): void {
  const unfinished: Unfinished = { moves: [], folders: [], copy }
  database.settings.set(unfinishedKey, unfinished as unknown as JsonObject)
}

/**
 * Answers whether there was anything to note; then `forgetUnfinished` is due when the steps are done.
 * ORDER: durable before the first step.
 */
export function noteUnfinished(
  { database }: SyncContext,
  steps: readonly Step[],
  {
    stamps,
    hashOf,
  }: {
    readonly stamps: ReadonlyMap<FileId, DiskStamp>
    /** The content that is placed for a file. */
    readonly hashOf: (id: FileId) => ContentHash | null
  },
): boolean {
  const moves = steps.flatMap((step) => {
    const stamp = step.kind === 'move' ? stamps.get(step.id) : undefined
    return step.kind === 'move' && stamp !== undefined
      ? [{ from: step.from, to: step.to, inode: stamp.inode }]
      : []
  })
  const folders = new Set(steps.flatMap((step) => (step.kind === 'prune' ? [step.path] : [])))
  for (const step of steps) {
    const target = step.kind === 'move' ? step.to : 'path' in step ? step.path : ''
    for (const folder of ancestorsOf(target))
      if (!folders.has(folder) && !database.trees.hasBelow('local', folder)) folders.add(folder)
  }
  const changes = pathChangesOf(steps, hashOf)
  if (moves.length === 0 && folders.size === 0 && changes.leavings.length === 0) return false
  const unfinished: Unfinished = { moves, changes, folders: [...folders].sort(comparePaths), copy: null }
  database.settings.set(unfinishedKey, unfinished as unknown as JsonObject)
  return true
}

export function forgetUnfinished({ database }: SyncContext): void {
  database.settings.set(unfinishedKey, null)
}

/** Before anything is scanned: takes back what an interrupted page left half done. The next plan does it again. */
export async function takeBackUnfinished(context: SyncContext): Promise<void> {
  const unfinished = context.database.settings.get(unfinishedKey) as Unfinished | null
  // ORDER: the second name of a file that was on its way first: it stands where a parked one belongs.
  for (const move of unfinished?.moves ?? []) await takeBackMove(context, move)
  if (unfinished?.copy !== null && unfinished?.copy !== undefined)
    await takeBackCopy(context, unfinished.copy)
  await recoverParked(context)
  if (unfinished === null) return
  if (unfinished.changes !== undefined) await followPathChanges(context, unfinished.changes)
  // RACE: an empty folder that somebody made there since then has to be made once more.
  for (const folder of [...unfinished.folders].reverse())
    if (!hasFolderEntry(context, folder)) await context.workspace.removeFolder(folder)
  forgetUnfinished(context)
}

async function takeBackMove(
  { workspace }: SyncContext,
  { from, to, inode }: Unfinished['moves'][number],
): Promise<void> {
  // Where the disk takes both for one name there was never a second one.
  if (foldPath(from) === foldPath(to)) return
  const [old, fresh] = [await workspace.look(from), await workspace.look(to)]
  if (old?.kind !== 'file' || fresh?.kind !== 'file') return
  // Two names of the one file that was to be moved: one of them is ours.
  if (old.stamp.inode !== inode || fresh.stamp.inode !== inode) return
  await workspace.remove(to, { expected: fresh.stamp, old: 'trash' })
}

async function takeBackCopy(
  { workspace, database }: SyncContext,
  { path, hash }: NonNullable<Unfinished['copy']>,
): Promise<void> {
  const known = database.trees.localAt(path)
  const found = await workspace.look(path)
  if (known !== null || found?.kind !== 'file') return
  try {
    if ((await workspace.hash(path)).hash === hash)
      await workspace.remove(path, { expected: found.stamp, old: 'trash' })
  } catch (error) {
    // Somebody is at work there: then it is theirs.
    if (!isDavitError(error, 'file-changed', 'file-unreadable', 'file-busy')) throw error
  }
}

/** Whether an empty folder is to stay: somebody made it, here or elsewhere. */
export function hasFolderEntry({ database }: SyncContext, folder: FilePath): boolean {
  const here = database.trees.localAt(folder)
  const there = database.trees.remoteAt(folder)
  return there?.state.kind === 'folder' || (here?.state.kind === 'folder' && here.absence === null)
}
