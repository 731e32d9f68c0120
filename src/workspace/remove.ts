/** Removes what is expected, and nothing else. */
import type { DiskStamp, FilePath } from '../model/file-state.ts'
import { nameOf, parentOf } from '../model/path.ts'
import { takeAside } from './aside.ts'
import { holdFolder } from './safe-path.ts'
import { matchesContent, matchesStamp } from './stamp.ts'
import {
  asRemoval,
  changed,
  deviceOf,
  done,
  doneWith,
  gone,
  isExpected,
  lstatOrNull,
  noteNames,
  type StepContext,
  taken,
  withNewPlace,
  withPlace,
} from './steps.ts'
import { isMissing, systemCode } from './system-error.ts'
import type { OldContent, RemoveResult, StepResult } from './workspace.ts'

export function removeFile(
  context: StepContext,
  path: FilePath,
  options: { readonly expected: DiskStamp; readonly old: OldContent },
): Promise<RemoveResult> {
  const { calls } = context
  return asRemoval(path, () =>
    withPlace<RemoveResult, RemoveResult>(
      context,
      path,
      { make: false, otherwise: () => gone },
      async (place) => {
        const found = lstatOrNull(calls, place.target)
        if (found === null) return gone
        if (!isExpected(found, options.expected, matchesStamp) || !place.parent.isInPlace()) return changed
        const beside = place.parent.device !== deviceOf(context)
        let aside = null
        try {
          aside = takeAside(context, place, beside)
        } catch (error) {
          // One device, yet two mounts of it.
          if (systemCode(error) !== 'EXDEV') throw error
          aside = takeAside(context, place, true)
        }
        if (aside === null) return gone
        // What was taken is what stood there at that very instant: look at it once more.
        if (!isExpected(aside.look(), options.expected, matchesContent)) {
          await aside.putBack()
          return changed
        }
        noteNames(context, place)
        await aside.settle(options.old)
        return done
      },
    ),
  )
}

/** Makes the folder and those above it. */
export function makeFolder(context: StepContext, path: FilePath): Promise<StepResult> {
  const { calls } = context
  return withNewPlace(context, path, async (place) => {
    const found = lstatOrNull(calls, place.target)
    if (found === null) {
      if (!place.parent.isInPlace()) return changed
      try {
        calls.mkdirSync(place.target)
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error
      }
    }
    const made = lstatOrNull(calls, place.target)
    if (made === null || made.isSymbolicLink()) return changed
    if (!made.isDirectory()) return { kind: 'blocked', path }
    if (context.foldsNames && taken(context, place) !== changed) return taken(context, place)
    noteNames(context, place)
    return doneWith(context, made, made)
  })
}

/** rmdir refuses a folder that is not empty: nothing to check before. Answers whether it is gone. */
export function removeFolder(context: StepContext, path: FilePath): Promise<boolean> {
  return asRemoval(path, () =>
    withPlace(context, path, { make: false, otherwise: () => true }, async (place) => {
      if (!place.parent.isInPlace()) return false
      try {
        context.calls.rmdirSync(place.target)
        noteNames(context, place)
        return true
      } catch (error) {
        if (isMissing(error)) return true
        if (['ENOTEMPTY', 'EEXIST', 'EBUSY'].includes(systemCode(error))) return false
        throw error
      }
    }),
  )
}

/** From the nearest folder up to the root, until one is kept or not empty. */
export async function removeEmptyParents(
  context: StepContext,
  path: FilePath,
  keep: (folder: FilePath) => boolean,
): Promise<void> {
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
    if (keep(folder) || !(await removeFolder(context, folder))) return
  }
}

/** Whether the file system of `folder` takes names for equal that differ in case or in normalisation. Leaves nothing. */
export function foldsNames(context: Omit<StepContext, 'foldsNames'>, folder: string): boolean {
  const { calls } = context
  const held = holdFolder(calls, folder, '', { make: false })
  if (held.kind !== 'held') return false
  const name = nameOf(`probe-${context.session}-\u00e9`)
  try {
    calls.mkdirSync(held.folder.at(name))
    const twins = [name.toUpperCase(), name.normalize('NFD')]
    const folds = twins.some((twin) => lstatOrNull(calls, held.folder.at(twin)) !== null)
    calls.rmdirSync(held.folder.at(name))
    return folds
  } finally {
    held.folder.close()
  }
}
