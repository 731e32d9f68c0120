/** A file in conflict that is missing here, although nobody may have meant to decide the conflict by that. */
import type { Database } from '../database/database.ts'
import type { EventDraft } from '../model/event.ts'
import type { FileId, FilePath } from '../model/file-state.ts'

const seenTooLate =
  'Deleted here while it came to be in conflict elsewhere; the edits win and the file is restored.'
const perhapsRenamed =
  'Missing here, while a new file appeared: whether it was deleted or renamed and edited cannot be told. It is in conflict, so it is restored.'

/**
 * The edits win over a deletion of which it is not known that it was made in the knowledge of their conflict: the file is
 * restored. Of a file that is not in the local tree any more; answers what to tell.
 */
export function keepFromDeletion(
  database: Database,
  { fileId, path }: { readonly fileId: FileId; readonly path: FilePath },
  why: 'seen-too-late' | 'perhaps-renamed' = 'seen-too-late',
): EventDraft[] {
  const { local, synced } = database.trees.triple(fileId)
  if (local !== null || synced === null) return []
  database.trees.putSynced(fileId, null)
  const detail = why === 'seen-too-late' ? seenTooLate : perhapsRenamed
  return [{ type: 'file.rescued', data: { fileId, path, rule: 'R6-edit-wins-restore', detail } }]
}
