/**
 * The old content of a path while something happens to the path: held under a temporary name, so that an edit which
 * slipped in can be seen and put back, and that what is replaced can go to the trash.
 */
import type { FileCalls, FileStats } from './file-calls.ts'
import { syncHeld } from './safe-path.ts'
import { lstatOrNull, type Place, type StepContext, temporaryFor } from './steps.ts'
import { isLinkRefused, isMissing, systemCode } from './system-error.ts'
import { moveToTrash } from './trash.ts'
import type { OldContent } from './workspace.ts'

export interface Aside {
  readonly file: string
  /** What it is now; an editor may still write to it through a handle that it opened before. */
  look(): FileStats
  /**
   * Gives it its name back unless something has taken the name meanwhile, in which case it goes to the trash: both
   * contents stay.
   */
  putBack(): Promise<void>
  /** Done with it. */
  settle(old: OldContent): Promise<void>
}

/** Takes what stands at the place, whatever it is, away from there in one step; `null` when nothing does. */
export function takeAside(context: StepContext, place: Place, besideTarget: boolean): Aside | null {
  return takeAway(context, place, temporaryFor(context, 'aside', besideTarget ? place.parent : null))
}

/** The same, under a name of the caller's. */
export function takeAway(context: StepContext, place: Place, file: string): Aside | null {
  try {
    context.calls.renameSync(place.target, file)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  return asideAt(context, place, file)
}

/** Gives what stands at the place a second name; `null` when nothing does. Throws where hard links are impossible. */
export function linkAside(context: StepContext, place: Place, besideTarget: boolean): Aside | null {
  const file = temporaryFor(context, 'aside', besideTarget ? place.parent : null)
  try {
    context.calls.linkSync(place.target, file)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  return asideAt(context, place, file)
}

function asideAt(context: StepContext, place: Place, file: string): Aside {
  const { calls } = context
  return {
    file,
    look: () => calls.lstatSync(file),
    async putBack() {
      if ((await giveName(context, file, place)) === 'taken') await moveToTrash(context, file, place.path)
    },
    async settle(old) {
      if (old === 'trash') await moveToTrash(context, file, place.path)
      else calls.unlinkSync(file)
    },
  }
}

/**
 * As `renameToFree`, for the last name of what somebody wrote. Done as well where it has that name already, from an
 * attempt that was interrupted.
 */
export async function giveName(context: StepContext, file: string, place: Place): Promise<'done' | 'taken'> {
  const { calls } = context
  const stats = calls.lstatSync(file)
  if (!stats.isFile()) return renameToFree(calls, file, place.target)
  try {
    calls.linkSync(file, place.target)
  } catch (error) {
    if (isLinkRefused(error)) return renameToFree(calls, file, place.target)
    if (systemCode(error) !== 'EEXIST') throw error
    const standing = lstatOrNull(calls, place.target)
    if (standing === null || standing.ino !== stats.ino || standing.dev !== stats.dev) return 'taken'
  }
  // ORDER: one name on the disk before the other goes; the two are not one change there.
  await syncHeld(calls, context.root, place.parent)
  calls.unlinkSync(file)
  return 'done'
}

/**
 * Renames onto nothing. With hard links nothing can be overwritten; the old name disappears a moment later.
 * RACE: for folders and where there are no hard links the look and the rename are two steps: a file that is created
 * at the target within these microseconds is lost; an empty folder is replaced, which loses nothing.
 */
export function renameToFree(calls: FileCalls, from: string, target: string): 'done' | 'taken' {
  const stats = calls.lstatSync(from)
  if (stats.isFile()) {
    try {
      calls.linkSync(from, target)
      calls.unlinkSync(from)
      return 'done'
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return 'taken'
      if (!isLinkRefused(error)) throw error
    }
  }
  if (lstatOrNull(calls, target) !== null) return 'taken'
  calls.renameSync(from, target)
  return 'done'
}
