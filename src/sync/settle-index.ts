/** Makes count what a look at the disk has found: moves are recognised before anything is called new or deleted. */
import type { FileId, FilePath, LocalFile } from '../model/file-state.ts'
import { type Arrival, type DisplacedRow, detectMoves } from '../reconcile/detect-moves.ts'
import { breathe, type SyncContext } from './context.ts'
import { keepFromDeletion } from './keep-from-deletion.ts'
import type { RunState } from './run-state.ts'

/** A file whose path holds another inode than before: saved by renaming, or moved here from elsewhere. */
export interface Replaced {
  readonly old: LocalFile
  readonly next: LocalFile
}

/** Rows written in one transaction, after which others have their turn. */
const rowsPerTransaction = 1_000

/** Recognises moves among what came and went, and makes the outcome count. */
export async function settle(
  context: SyncContext,
  run: RunState,
  replaced: readonly Replaced[],
): Promise<void> {
  const { database } = context
  const { trees } = database
  await keepSpelling(context)
  const appeared = allUnsettled(context, 'appeared')
  const vanished = allUnsettled(context, 'vanished')
  if (appeared.length === 0 && vanished.length === 0 && replaced.length === 0) return

  const displaced: DisplacedRow[] = [
    ...vanished.flatMap((row) => displacedOf(row, 'vanished')),
    ...replaced.flatMap(({ old }) => displacedOf(old, 'replaced')),
  ]
  const arrivals: Arrival[] = [
    ...appeared.flatMap((row) => arrivalOf(row, 'appeared')),
    ...replaced.flatMap(({ next }) => arrivalOf(next, 'replaced')),
  ]
  const moves = displaced.length === 0 || arrivals.length === 0 ? [] : detectMoves({ displaced, arrivals })

  const rows = new Map<FileId, LocalFile>()
  for (const row of vanished) rows.set(row.id, row)
  for (const { old } of replaced) rows.set(old.id, old)
  const arrived = new Map<FilePath, { readonly file: LocalFile; readonly appeared: boolean }>()
  for (const row of appeared) arrived.set(row.state.path, { file: row, appeared: true })
  for (const { next } of replaced) arrived.set(next.state.path, { file: next, appeared: false })

  const movedIds = new Set<FileId>()
  const takenPaths = new Set<FilePath>()
  // ORDER: the moves in one transaction, all of them before anything is called deleted. After a crash in between the
  // rest is still unsettled and is looked at again.
  database.transaction(() => {
    for (const move of moves) {
      const arrival = arrived.get(move.to)
      const row = rows.get(move.id)
      if (arrival === undefined || row === undefined) continue
      if (arrival.appeared) trees.removeLocal(arrival.file.id)
      trees.putLocal(
        { ...arrival.file, id: row.id, state: { ...arrival.file.state, metadata: row.state.metadata } },
        'settled',
      )
      movedIds.add(row.id)
      takenPaths.add(move.to)
    }
    for (const { old, next } of replaced) {
      if (movedIds.has(old.id)) continue
      // Its path went to another file and it is found nowhere: it is gone. Otherwise it was edited in place.
      if (takenPaths.has(next.state.path)) trees.removeLocal(old.id)
      else trees.putLocal(next, 'settled')
    }
  })
  const left = appeared.filter((row) => !takenPaths.has(row.state.path))
  let strangers = 0
  await inBlocks(context, left, (row) => {
    const known = madeAnew(context, row)
    if (known === null) {
      if (row.state.kind === 'file') strangers += 1
      return trees.setPresence(row.id, 'settled')
    }
    trees.removeLocal(row.id)
    trees.putLocal(known, 'settled')
  })
  const missing = vanished.filter((row) => !movedIds.has(row.id))
  await inBlocks(context, missing, (row) => {
    if (!isUntold(run, row)) return removeMissing(context, row, { strangers })
    // Called deleted, it would be so everywhere, and a new file without its metadata once it can be read.
    trees.setPresence(row.id, 'settled')
    lookAtBoth(run, row)
  })
}

/**
 * Deleting a file in conflict decides the conflict. One that was saved by renaming and renamed, between two looks, shows
 * nothing but its absence and a new file: that is taken for no decision.
 */
function removeMissing(
  { database, emitAll }: SyncContext,
  { id, state: { path } }: LocalFile,
  { strangers }: { readonly strangers: number },
): void {
  database.trees.removeLocal(id)
  const isInConflict = database.conflicts.ofFile(id).some(({ aspect }) => aspect === 'content')
  if (strangers > 0 && isInConflict)
    emitAll(keepFromDeletion(database, { fileId: id, path }, 'perhaps-renamed'))
}

/** Whether it was renamed to where its content could not be told. */
function isUntold(run: RunState, { stamp }: LocalFile): boolean {
  return stamp !== null && run.untold.get(stamp.inode)?.birthtimeMs === stamp.birthtimeMs
}

/** Where it was and where it is: the next look at its new path has to miss it at the old one. */
function lookAtBoth(run: RunState, { id, stamp, state }: LocalFile): void {
  const to = run.untold.get(stamp?.inode ?? -1)?.path
  if (to !== undefined && run.again.has(to)) {
    run.lookAgainAt(state.path, id)
    return
  }
  run.skipped.add(id)
  run.unread.add(state.path)
}

/**
 * What stands where it stood, though the disk now tells its name in another Unicode form, as those of macOS do: nobody
 * renamed it, and it keeps the name that it has for everybody. Where the two forms are two names, somebody did.
 */
async function keepSpelling(context: SyncContext): Promise<void> {
  const { trees } = context.database
  // Plain ASCII has one form.
  const vanished = allUnsettled(context, 'vanished').filter(({ state }) => !isAscii(state.path))
  if (vanished.length === 0) return
  const byForm = new Map(vanished.map((row) => [row.state.path.normalize(), row]))
  for (const row of allUnsettled(context, 'appeared')) {
    const former = byForm.get(row.state.path.normalize())
    if (former === undefined || former.state.kind !== row.state.kind || row.stamp === null) continue
    const found = await context.workspace.look(former.state.path)
    if (found === null || found.kind === 'unknown' || found.stamp.inode !== row.stamp.inode) continue
    const { path, metadata } = former.state
    context.database.transaction(() => {
      trees.removeLocal(row.id)
      trees.putLocal({ ...row, id: former.id, state: { ...row.state, path, metadata } }, 'settled')
    })
  }
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

/**
 * A tool that saves by deleting first was seen in between: the file that was agreed on at this path is gone from the
 * index, not yet from the store. What stands here now is an edit of it, and keeps its id and metadata.
 */
function madeAnew(context: SyncContext, row: LocalFile): LocalFile | null {
  const { trees } = context.database
  const id = trees.syncedAt(row.state.path)
  if (id === null || id === row.id) return null
  const { local, synced } = trees.triple(id)
  if (local !== null || synced === null || synced.kind !== row.state.kind) return null
  return { ...row, id, state: { ...row.state, metadata: synced.metadata } }
}

async function inBlocks<T>(context: SyncContext, rows: readonly T[], work: (row: T) => void): Promise<void> {
  for (let start = 0; start < rows.length; start += rowsPerTransaction) {
    context.database.transaction(() => {
      for (const row of rows.slice(start, start + rowsPerTransaction)) work(row)
    })
    await breathe()
  }
}

function allUnsettled(context: SyncContext, presence: 'appeared' | 'vanished'): LocalFile[] {
  const rows: LocalFile[] = []
  for (let after: FileId | undefined; ; ) {
    const page = context.database.trees.unsettledPage(presence, {
      limit: 5_000,
      ...(after === undefined ? {} : { after }),
    })
    for (const row of page) rows.push(row)
    if (page.length < 5_000) return rows
    after = page.at(-1)?.id
  }
}

export function displacedOf(row: LocalFile, how: DisplacedRow['how']): DisplacedRow[] {
  if (row.state.kind !== 'file' || row.stamp === null || row.state.hash === null) return []
  return [
    { id: row.id, path: row.state.path, stamp: row.stamp, hash: row.state.hash, size: row.state.size, how },
  ]
}

export function arrivalOf(row: LocalFile, how: Arrival['how']): Arrival[] {
  if (row.state.kind !== 'file' || row.stamp === null || row.state.hash === null) return []
  return [{ path: row.state.path, stamp: row.stamp, hash: row.state.hash, size: row.state.size, how }]
}
