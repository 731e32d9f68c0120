/**
 * Who this instance is. A state folder that was copied is another instance: it takes a new id before it says a word,
 * so that no two ever speak under one.
 */
import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from '../database/database.ts'
import type { Random } from '../model/clock.ts'
import type { InstanceId } from '../model/file-state.ts'
import type { JsonObject } from '../model/json.ts'

export interface Identity {
  readonly id: InstanceId
  readonly incarnation: string
  /** The id that it had until now; `null` when it keeps it, or is new. */
  readonly formerId: InstanceId | null
}

const idKey = 'instance.id'
const incarnationKey = 'instance.incarnation'
const placeKey = 'instance.place'
/** The id that this state had before, until what was said under it is disowned. */
const formerKey = 'instance.formerId'

/** Reads who this is from the database, or decides it anew. */
export function identify(
  database: Pick<Database, 'settings' | 'transaction'>,
  place: { readonly machine: string; readonly stateFolder: string },
  random: Random,
): Identity {
  const { settings } = database
  const here = placeOf(place)
  const id = settings.get(idKey)
  const incarnation = settings.get(incarnationKey)
  const known = settings.get(placeKey) as JsonObject | null
  const isSame = known !== null && Object.keys(here).every((key) => known[key] === here[key])
  const former = settings.get(formerKey)
  if (typeof id === 'string' && typeof incarnation === 'string' && isSame)
    return { id, incarnation, formerId: typeof former === 'string' ? former : null }
  const fresh = { id: random.uuid(), incarnation: random.hex(16) }
  database.transaction(() => {
    settings.set(idKey, fresh.id)
    settings.set(incarnationKey, fresh.incarnation)
    settings.set(placeKey, here)
    // A copy of a copy that had no time to disown: nothing was said under the id in between.
    if (typeof former !== 'string' && typeof id === 'string') settings.set(formerKey, id)
  })
  const formerId = settings.get(formerKey)
  return { ...fresh, formerId: typeof formerId === 'string' ? formerId : null }
}

function placeOf({
  machine,
  stateFolder,
}: {
  readonly machine: string
  readonly stateFolder: string
}): JsonObject {
  const { ino } = statSync(join(stateFolder, 'metadata.db'))
  return { machine, path: realpathSync(stateFolder), inode: ino }
}

/**
 * What the former id had said in open conflicts is said by somebody else now. Where the content is still here, it
 * starts from the conflict's base again, so that the new id speaks for itself instead of overwriting.
 */
export function disownCandidates(database: Database, formerId: InstanceId): void {
  database.transaction(() => {
    for (let after: string | undefined; ; ) {
      const page = database.conflicts.page({ limit: 500, ...(after === undefined ? {} : { after }) })
      for (const conflict of page) {
        const own = conflict.candidates.find((side) => side.instance === formerId)
        const { local, synced } = database.trees.triple(conflict.fileId)
        if (own === undefined || local === null || synced === null) continue
        if (conflict.aspect === 'content') {
          if (local.state.hash !== own.hash) continue
          if (conflict.base === null) database.trees.putSynced(conflict.fileId, null)
          else
            database.trees.putSynced(conflict.fileId, {
              ...synced,
              hash: conflict.base.hash,
              size: conflict.base.size,
            })
          continue
        }
        const field = conflict.aspect.slice('metadata.'.length)
        const { [field]: _gone, ...others } = synced.metadata
        const value = conflict.base?.value ?? null
        database.trees.putSynced(conflict.fileId, {
          ...synced,
          metadata: value === null ? others : { ...others, [field]: value },
        })
      }
      after = page.at(-1)?.id
      if (page.length < 500) break
    }
    database.settings.set(formerKey, null)
  })
}
