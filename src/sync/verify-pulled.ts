/**
 * Durability of large pulls without an fsync for each file: what was pulled is listed; if the machine stopped before
 * the system had written it out, each is held against its hash before the scan may take it for somebody's edit.
 */
import { liveState } from '../model/dirtiness.ts'
import { isDavitError } from '../model/errors.ts'
import type { FileState } from '../model/file-state.ts'
import type { SyncContext } from './context.ts'

/** When files were last listed. */
export const pulledAtKey = 'sync.pulledAt'
/** When the first of those that are listed was pulled at the earliest. */
export const pulledSinceKey = 'sync.pulledSince'
const bootKey = 'sync.boot'

/** By then the system has written its cache out: twice the longest usual delay of a write-back. */
const writtenOutMs = 120_000
/** The coarsest step of file times. */
const clockStepMs = 2_000

/** At each start. `boot` names the machine's present start; `null` where the system does not tell one. */
export async function verifyPulled(context: SyncContext, boot: string | null): Promise<void> {
  const { database } = context
  const isSameBoot = boot !== null && database.settings.get(bootKey) === boot
  if (!isSameBoot) {
    for (const { id, path, hash } of database.pulled.all()) {
      const triple = database.trees.triple(id)
      const live = liveState(triple)
      if (live === null || live.path !== path || live.hash !== hash) continue
      const indexed = triple.local?.state ?? null
      if (!(await isTorn(context, indexed, live))) continue
      database.transaction(() => {
        if (indexed !== null) database.trees.removeLocal(id)
        database.trees.putSynced(id, null)
      })
      context.emit({
        type: 'file.rescued',
        data: {
          fileId: id,
          path,
          rule: 'torn',
          detail: 'The machine stopped while it was written; it is fetched again.',
        },
      })
    }
  }
  database.transaction(() => {
    if (!isSameBoot) {
      database.pulled.clear()
      database.settings.set(pulledSinceKey, null)
    }
    database.settings.set(bootKey, boot)
  })
}

/** Whether the machine lost what was pulled; what it left in its place is in the trash then. */
async function isTorn(
  { workspace, database }: SyncContext,
  indexed: FileState | null,
  live: FileState,
): Promise<boolean> {
  try {
    const found = await workspace.hash(live.path)
    // Seen since: whatever it is, it was looked at and decided on.
    if (found.hash === live.hash || (indexed !== null && indexed.hash !== live.hash)) return false
    // Of nothing, or with the time that was set when it was pulled: torn. Older than the pull: what it had replaced.
    const since = database.settings.get(pulledSinceKey)
    const isOlder =
      indexed !== null && typeof since === 'number' && found.mtimeUs / 1_000 < since - clockStepMs
    if (found.mtimeUs !== live.mtimeUs && found.stamp.size > 0 && !isOlder) return false
    const result = await workspace.remove(live.path, { expected: found.stamp, old: 'trash' })
    if (result.kind === 'changed') return false
    // ORDER: gone from the disk before it goes from the index, or it is a new file after another power cut.
    await workspace.makeDurable()
    return true
  } catch (error) {
    // Nothing is there: its name never reached the disk. Taken for a deletion, it would be deleted everywhere.
    if (isDavitError(error, 'file-changed'))
      return indexed !== null && (await workspace.look(live.path)) === null
    // The scan says what that means.
    if (isDavitError(error, 'file-unreadable', 'file-busy', 'path-unsafe')) return false
    throw error
  }
}

/** Drops the list once the system has surely written everything out. */
export function forgetWrittenOut(context: SyncContext): void {
  const at = context.database.settings.get(pulledAtKey)
  if (typeof at !== 'number' || context.clock.now() - at < writtenOutMs) return
  context.database.transaction(() => {
    context.database.pulled.clear()
    context.database.settings.set(pulledAtKey, null)
    context.database.settings.set(pulledSinceKey, null)
  })
}
