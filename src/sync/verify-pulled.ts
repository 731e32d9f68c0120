/**
 * Durability of large pulls without an fsync for each file: what was pulled is listed; if the machine stopped before
 * the system had written it out, each is held against its hash before the scan may take it for somebody's edit.
 */
import { liveState } from '../model/dirtiness.ts'
import { isDavitError } from '../model/errors.ts'
import type { SyncContext } from './context.ts'

export const pulledAtKey = 'sync.pulledAt'
const bootKey = 'sync.boot'

/** By then the system has written its cache out: twice the longest usual delay of a write-back. */
const writtenOutMs = 120_000

/** At each start. `boot` names the machine's present start; `null` where the system does not tell one. */
export async function verifyPulled(context: SyncContext, boot: string | null): Promise<void> {
  const { database, workspace } = context
  const isSameBoot = boot !== null && database.settings.get(bootKey) === boot
  if (!isSameBoot) {
    for (const { id, path, hash } of database.pulled.all()) {
      const triple = database.trees.triple(id)
      const live = liveState(triple)
      if (live === null || live.path !== path || live.hash !== hash) continue
      try {
        const found = await workspace.hash(path)
        if (found.hash === hash) continue
        // Torn, not edited: the time is the one that was set when it was pulled, or nothing was written at all.
        if (found.mtimeUs !== live.mtimeUs && found.stamp.size > 0) continue
        const result = await workspace.remove(path, { expected: found.stamp, old: 'trash' })
        if (result.kind === 'changed') continue
      } catch (error) {
        // It is not there, or not readable: the scan says what that means.
        if (isDavitError(error, 'file-changed', 'file-unreadable', 'file-busy', 'path-unsafe')) continue
        throw error
      }
      database.transaction(() => {
        if (triple.local !== null) database.trees.removeLocal(id)
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
    if (!isSameBoot) database.pulled.clear()
    database.settings.set(bootKey, boot)
  })
}

/** Drops the list once the system has surely written everything out. */
export function forgetWrittenOut(context: SyncContext): void {
  const at = context.database.settings.get(pulledAtKey)
  if (typeof at !== 'number' || context.clock.now() - at < writtenOutMs) return
  context.database.transaction(() => {
    context.database.pulled.clear()
    context.database.settings.set(pulledAtKey, null)
  })
}
