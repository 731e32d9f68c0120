/**
 * Durability of large pulls without an fsync for each file: what was pulled is listed; if the machine stopped before
 * the system had written it out, each is held against its hash before the scan may take it for somebody's edit.
 */
import { liveState } from '../model/dirtiness.ts'
import { isDavitError } from '../model/errors.ts'
import type { FilePath, FileState, FileTriple } from '../model/file-state.ts'
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
/** Steps of file times, in microseconds. */
const timeStepsUs = [1, 1_000, 1_000_000, 2_000_000]
/** Times are set and told as floating-point numbers. */
const roundingUs = 2

/** At each start. `boot` names the machine's present start; `null` where the system does not tell one. */
export async function verifyPulled(context: SyncContext, boot: string | null): Promise<void> {
  const { database } = context
  const isSameBoot = boot !== null && database.settings.get(bootKey) === boot
  if (!isSameBoot) {
    for (const { id, hash } of database.pulled.all()) {
      const triple = database.trees.triple(id)
      const live = liveState(triple)
      if (live === null || live.hash !== hash) continue
      const path = standingPath(triple, live)
      if (!(await isTorn(context, triple, { ...live, path }))) continue
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
    if (!isSameBoot) {
      database.pulled.clear()
      database.settings.set(pulledSinceKey, null)
    }
    database.settings.set(bootKey, boot)
  })
}

/** Where the file is to be looked for: it may have been renamed since it was pulled, here or elsewhere. */
function standingPath({ local, synced }: FileTriple, live: FileState): FilePath {
  const isSettled = local !== null && local.absence === null && synced?.hash === live.hash
  return isSettled ? local.state.path : live.path
}

/** Whether the machine lost what was pulled; what it left in its place is in the trash then. */
async function isTorn(
  { workspace, database }: SyncContext,
  { local, synced }: FileTriple,
  pulled: FileState,
): Promise<boolean> {
  // Else the machine stopped between the place that it was given and its row.
  const isSettled = synced?.hash === pulled.hash
  try {
    const found = await workspace.hash(pulled.path)
    if (found.hash === pulled.hash) return false
    if (local !== null) {
      // Seen since: whatever it is, it was looked at and decided on.
      if (isSettled && local.state.hash !== pulled.hash) return false
      // What it was before: it is pulled once more in any case. Elsewhere: this is another file.
      if (!isSettled && (found.hash === local.state.hash || local.state.path !== pulled.path)) return false
    }
    // Of nothing, or with the time that was set when it was pulled: torn. Older than the pull: what it had replaced.
    const since = database.settings.get(pulledSinceKey)
    const isOlder =
      isSettled && local !== null && typeof since === 'number' && found.mtimeUs / 1_000 < since - clockStepMs
    const hasSetTime =
      isSettled && local !== null && local.stamp !== null
        ? found.stamp.mtimeMs === local.stamp.mtimeMs
        : couldBeStored(pulled.mtimeUs, found.mtimeUs)
    if (!hasSetTime && found.stamp.size > 0 && !isOlder) return false
    const result = await workspace.remove(pulled.path, { expected: found.stamp, old: 'trash' })
    if (result.kind !== 'done') return false
    // ORDER: gone from the disk before it goes from the index, or it is a new file after another power cut.
    await workspace.makeDurable()
    return true
  } catch (error) {
    // Nothing is there: its name never reached the disk. Taken for a deletion, it would be deleted everywhere.
    if (isDavitError(error, 'file-changed')) {
      const stoodHere = local !== null && (isSettled || local.state.path === pulled.path)
      return stoodHere && (await workspace.look(pulled.path)) === null
    }
    // The scan says what that means.
    if (isDavitError(error, 'file-unreadable', 'file-busy', 'path-unsafe')) return false
    throw error
  }
}

/** Whether a time that was set as `setUs` is told as `toldUs` by a file system of any usual step of times. */
function couldBeStored(setUs: number, toldUs: number): boolean {
  return timeStepsUs.some(
    (step) => Math.abs(setUs - toldUs) < Math.max(step, roundingUs) && toldUs % step === 0,
  )
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
