/** Renames within the workspace, onto nothing; and the detour through the state folder that cycles need. */
import path from 'node:path'
import { DavitError } from '../model/errors.ts'
import type { DiskStamp, FileId, FilePath } from '../model/file-state.ts'
import { nameOf } from '../model/path.ts'
import { giveName, renameToFree, takeAside, takeAway } from './aside.ts'
import { syncHeld } from './safe-path.ts'
import { matchesContent, matchesStamp } from './stamp.ts'
import {
  asRemoval,
  asStep,
  changed,
  deviceOf,
  done,
  doneWith,
  isExpected,
  lstatOrNull,
  noteNames,
  type Place,
  type StepContext,
  taken,
  temporaryFor,
  withNewPlace,
  withPlace,
} from './steps.ts'
import { isLinkRefused, isMissing, systemCode } from './system-error.ts'
import { copyDurably } from './trash.ts'
import { syncPath } from './unsettled.ts'
import type { RemoveResult, StepResult } from './workspace.ts'

export async function move(
  context: StepContext,
  from: FilePath,
  to: FilePath,
  expected: DiskStamp,
  options: { readonly durable: boolean } = { durable: true },
): Promise<StepResult> {
  const { calls } = context
  const otherwise = (): StepResult => changed
  return asStep(from, () => withPlace(context, from, { make: false, otherwise }, moveFrom))

  async function moveFrom(source: Place): Promise<StepResult> {
    const found = lstatOrNull(calls, source.target)
    const isFolder = found?.isDirectory() === true
    const isRight = isFolder ? matchesStamp(found, expected) : isExpected(found, expected, matchesStamp)
    if (found === null || !isRight) return changed
    return withNewPlace(context, to, async (target) => {
      if (!source.parent.isInPlace() || !target.parent.isInPlace()) return changed
      for (const place of [source, target]) noteNames(context, place)
      const standing = lstatOrNull(calls, target.target)
      if (standing !== null) {
        // A change of spelling only, where the file system takes both for one name.
        const same = context.foldsNames && standing.ino === found.ino && standing.dev === found.dev
        if (!same) return taken(context, target)
        calls.renameSync(source.target, target.target)
        return doneWith(context, found, lstatOrNull(calls, target.target))
      }
      if (isFolder) return moveFolder(context, source, target, found.ino)
      return moveFile(context, source, target, expected, options)
    })
  }
}

function moveFolder(context: StepContext, source: Place, target: Place, inode: number): StepResult {
  const { calls } = context
  // RACE: a folder made at the target after the look is replaced if it is empty; a file there makes the call fail.
  calls.renameSync(source.target, target.target)
  const found = lstatOrNull(calls, target.target)
  if (found === null || found.ino !== inode) return changed
  return doneWith(context, found, found)
}

/** Gives the file its new name, then takes the old one away: by a rename, which shows what it really took. */
async function moveFile(
  context: StepContext,
  source: Place,
  target: Place,
  expected: DiskStamp,
  { durable }: { readonly durable: boolean },
): Promise<StepResult> {
  const { calls } = context
  let isCopied = false
  let besideTarget = source.parent.device !== deviceOf(context)
  /** What this step puts at the target. The link has the inode of the file that is moved. */
  let inode = expected.inode
  try {
    calls.linkSync(source.target, target.target)
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return taken(context, target)
    if (isMissing(error)) return changed
    if (systemCode(error) === 'EXDEV') {
      besideTarget = true
      isCopied = true
      const copy = temporaryFor(context, 'staged', target.parent)
      await copyDurably(calls, source.target, copy)
      inode = calls.lstatSync(copy).ino
      if (renameToFree(calls, copy, target.target) === 'taken') {
        calls.unlinkSync(copy)
        return taken(context, target)
      }
    } else if (isLinkRefused(error)) {
      // RACE: without hard links the look and the rename are two steps (see renameToFree).
      if (renameToFree(calls, source.target, target.target) === 'taken') return taken(context, target)
      const found = lstatOrNull(calls, target.target)
      if (found === null) return changed
      return doneWith(context, found, found, { racy: !matchesContent(found, expected) })
    } else throw error
  }
  // ORDER: one name on the disk before the other goes; the two are not one change there. Between two file systems,
  // nothing else would order them.
  if (durable || isCopied) await syncHeld(calls, context.root, target.parent)
  const placed = lstatOrNull(calls, target.target)
  // The new name was taken in this instant: what is there is not ours to record, and the old name still stands.
  if (placed === null || placed.ino !== inode) return changed
  const aside = takeAside(context, source, besideTarget)
  const old = aside?.look()
  if (aside === null || old === undefined || !isExpected(old, expected, matchesContent)) {
    // The old name holds something else by now, which keeps it; the new name was ours.
    if (aside !== null) await aside.putBack()
    await withdraw(context, target, inode, old?.ino)
    return changed
  }
  await aside.settle('drop')
  // An edit of the one file under either name since the decision shows in its size or mtime: looked at again then.
  const found = lstatOrNull(calls, target.target)
  return doneWith(context, placed, found, { racy: false })
}

/** Takes back a name that this step gave. What somebody put there meanwhile, or a last name of a file, stays. */
async function withdraw(
  context: StepContext,
  target: Place,
  inode: number,
  keptInode: number | undefined,
): Promise<void> {
  const found = lstatOrNull(context.calls, target.target)
  if (found === null || found.ino !== inode) return
  const aside = takeAside(context, target, target.parent.device !== deviceOf(context))
  if (aside === null) return
  const taken = aside.look()
  if (taken.ino !== inode) return aside.putBack()
  return aside.settle(taken.nlink > 1 || taken.ino === keptInode ? 'drop' : 'trash')
}

export function parkedFile(context: StepContext, id: FileId): string {
  if (!/^[0-9a-f][0-9a-f-]{7,63}$/.test(id))
    throw new DavitError('path-unsafe', `'${id}' is no file id.`, { action: 'give-up' })
  return path.join(context.holdingFolder, 'parked', id)
}

/** Into the state folder, under the id. */
export async function park(
  context: StepContext,
  id: FileId,
  from: FilePath,
  expected: DiskStamp,
): Promise<RemoveResult> {
  const { calls } = context
  const parked = parkedFile(context, id)
  return asRemoval(from, () =>
    withPlace(context, from, { make: false, otherwise: () => changed }, async (source) => {
      if (!isExpected(lstatOrNull(calls, source.target), expected, matchesStamp)) return changed
      if (lstatOrNull(calls, parked) !== null || !source.parent.isInPlace()) return changed
      noteNames(context, source)
      context.unsettled.noteOwn(path.dirname(parked))
      const isNear = source.parent.device === deviceOf(context)
      if (!isNear) {
        // ORDER: the copy is found on the disk before the file goes.
        await copyDurably(calls, source.target, parked)
        await syncPath(calls, path.dirname(parked))
      }
      // At once under the id, which is how it is found again after a crash.
      const aside = isNear ? takeAway(context, source, parked) : takeAside(context, source, true)
      if (aside !== null && isExpected(aside.look(), expected, matchesContent)) {
        if (!isNear) await aside.settle('drop')
        return done
      }
      if (!isNear) calls.unlinkSync(parked)
      await aside?.putBack()
      return changed
    }),
  )
}

/** Back to a path where nothing is, or where a crash left the same file already. */
export function unpark(context: StepContext, id: FileId, to: FilePath): Promise<StepResult> {
  const { calls } = context
  const parked = parkedFile(context, id)
  return withNewPlace(context, to, async (target) => {
    const noteUnparked = () => {
      noteNames(context, target)
      context.unsettled.noteOwn(path.dirname(parked))
    }
    const found = lstatOrNull(calls, parked)
    if (found === null || !target.parent.isInPlace()) return changed
    if (target.parent.device === found.dev) {
      const standing = lstatOrNull(calls, target.target)
      if (standing !== null && standing.ino === found.ino && standing.dev === found.dev && found.nlink > 1) {
        calls.unlinkSync(parked)
        noteUnparked()
        return doneWith(context, found, lstatOrNull(calls, target.target))
      }
      if ((await giveName(context, parked, target)) === 'taken') return taken(context, target)
      noteUnparked()
      return doneWith(context, found, lstatOrNull(calls, target.target))
    }
    const copy = temporaryFor(context, 'staged', target.parent)
    await copyDurably(calls, parked, copy)
    const ours = calls.lstatSync(copy)
    if (renameToFree(calls, copy, target.target) === 'taken') {
      calls.unlinkSync(copy)
      return taken(context, target)
    }
    // ORDER: found on the disk here before it goes there.
    await syncHeld(calls, context.root, target.parent)
    calls.unlinkSync(parked)
    noteUnparked()
    return doneWith(context, ours, lstatOrNull(calls, target.target))
  })
}

export async function listParked(context: StepContext): Promise<FileId[]> {
  const names = await context.calls.readdir(path.join(context.holdingFolder, 'parked'))
  return names.map(nameOf).sort()
}
