/**
 * A deletion resolves the conflicts that were known where it was made, and only those (decision 0012). A file may be
 * gone from the disk before its conflict came in, and found missing only by the scan after it: whether it was there is
 * looked up as soon as the conflict is known, and until then a deletion gives way.
 */
import type { Database } from '../database/database.ts'
import type { FileId, FilePath } from '../model/file-state.ts'
import type { SyncContext } from './context.ts'
import { indexWorkspace } from './index-workspace.ts'
import { keepFromDeletion } from './keep-from-deletion.ts'
import type { RunState } from './run-state.ts'

const unseenKey = 'sync.unseenConflicts'

/** Within the transaction that opens the conflicts. */
export function noteUnseen(database: Database, ids: readonly FileId[]): void {
  if (ids.length > 0) database.settings.set(unseenKey, [...new Set([...unseen(database), ...ids])])
}

/** After whatever may have opened conflicts, before anything is planned on them; and first of all after a scan. */
export async function lookAtUnseen(context: SyncContext, run: RunState): Promise<void> {
  const { database, workspace } = context
  const ids = unseen(database)
  if (ids.length === 0) return
  const missing: FilePath[] = []
  const untold: FileId[] = []
  for (const id of ids) {
    const { local } = database.trees.triple(id)
    if (local === null || local.absence !== null) continue
    const { path, kind } = local.state
    const found = await workspace.look(path)
    if (found?.kind === 'unknown') untold.push(id)
    // A folder in its place leaves as little of the file as nothing does.
    else if (found?.kind !== kind) missing.push(path)
  }
  // A file that was only renamed is found, and keeps its id.
  if (missing.length > 0) await indexWorkspace(context, run, missing)
  database.transaction(() => {
    for (const id of ids) {
      if (untold.includes(id)) continue
      for (const { path } of database.conflicts.ofFile(id).slice(0, 1))
        context.emitAll(keepFromDeletion(database, { fileId: id, path }))
    }
    // Whether those are there is told once they can be looked at; a scan may find them missing then.
    database.settings.set(unseenKey, untold.length > 0 ? untold : null)
  })
}

function unseen(database: Database): FileId[] {
  return (database.settings.get(unseenKey) as FileId[] | null) ?? []
}
