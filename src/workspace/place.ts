/**
 * Puts a staged content at a path. Every path holds, at every moment, its old or its new content; what somebody writes
 * while this happens stays.
 */
import { constants } from 'node:fs'
import type { DiskStamp, FilePath } from '../model/file-state.ts'
import { type Aside, linkAside, renameToFree, takeAside } from './aside.ts'
import { applyAttributes } from './attributes.ts'
import type { FileStats } from './file-calls.ts'
import { syncHeld } from './safe-path.ts'
import type { StagedFile } from './stage.ts'
import { matchesContent, matchesStamp } from './stamp.ts'
import {
  changed,
  deviceOf,
  doneWith,
  isExpected,
  lstatOrNull,
  type Place,
  type StepContext,
  taken,
  temporaryFor,
  tmpFolder,
  withNewPlace,
} from './steps.ts'
import { isLinkRefused, systemCode } from './system-error.ts'
import { copyDurably } from './trash.ts'
import { syncPath } from './unsettled.ts'
import type { Attributes, OldContent, StepResult } from './workspace.ts'

export interface PlaceOptions {
  readonly expected: DiskStamp | null
  readonly attributes: Attributes
  readonly old: OldContent
  readonly durable: boolean
}

export function place(
  context: StepContext,
  staged: StagedFile,
  path: FilePath,
  options: PlaceOptions,
): Promise<StepResult> {
  return withNewPlace(context, path, async (at) => {
    if (at.parent.device !== deviceOf(context)) return placeFromCopy(context, staged, at, options)
    try {
      return await placeFile(context, staged.file, at, options, false)
    } catch (error) {
      // One device, yet two mounts of it.
      if (systemCode(error) !== 'EXDEV') throw error
      return placeFromCopy(context, staged, at, options)
    }
  })
}

/** The target lies on another file system: the content is brought there first, beside its target. */
async function placeFromCopy(
  context: StepContext,
  staged: StagedFile,
  at: Place,
  options: PlaceOptions,
): Promise<StepResult> {
  const copy = temporaryFor(context, 'staged', at.parent)
  await copyDurably(context.calls, staged.file, copy)
  try {
    const result = await placeFile(context, copy, at, options, true)
    if (result.kind === 'done') await staged.discard()
    return result
  } finally {
    if (lstatOrNull(context.calls, copy) !== null) context.calls.unlinkSync(copy)
  }
}

async function placeFile(
  context: StepContext,
  file: string,
  at: Place,
  options: PlaceOptions,
  beside: boolean,
): Promise<StepResult> {
  const { expected } = options
  const before = lstatOrNull(context.calls, at.target)
  const refused = unexpected(context, at, expected, before)
  if (refused !== null) return refused
  const ours = await prepare(context, file, options, expected === null ? null : before)

  const replacing = { ...options, expected: expected as DiskStamp, beside }
  return expected === null
    ? putNew(context, file, at, ours, options)
    : replace(context, file, at, ours, replacing)
}

interface Replacing extends PlaceOptions {
  readonly expected: DiskStamp
  /** What is aside lies beside the target, which is on another device than the state folder. */
  readonly beside: boolean
}

function unexpected(
  context: StepContext,
  at: Place,
  expected: DiskStamp | null,
  found: FileStats | null,
): StepResult | null {
  if (expected === null) return found === null ? null : taken(context, at)
  return isExpected(found, expected, matchesStamp) ? null : changed
}

/** Attributes come before the content is seen under its name: nobody meets it half made. */
async function prepare(
  context: StepContext,
  file: string,
  options: PlaceOptions,
  like: FileStats | null,
): Promise<FileStats> {
  const fd = context.calls.openSync(file, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    applyAttributes(context.calls, fd, options.attributes, like)
    // ORDER: data and attributes are on the disk before the name leads to them, or a power cut leaves an empty file
    // there. Also when the data was synced while it was staged: the attributes came now.
    if (options.durable) await context.calls.fsync(fd)
    return context.calls.fstatSync(fd)
  } finally {
    context.calls.closeSync(fd)
  }
}

/** link() fails if something is there: the check and the act are one. */
async function putNew(
  context: StepContext,
  file: string,
  at: Place,
  ours: FileStats,
  options: PlaceOptions,
): Promise<StepResult> {
  if (!at.parent.isInPlace()) return changed
  if (renameToFree(context.calls, file, at.target) === 'taken') return taken(context, at)
  if (options.durable) await syncHeld(context.calls, context.root, at.parent)
  // What is placed or moved here later counts on the folders that were just made: their names are not left to chance.
  else for (const folder of at.parent.madeIn) context.unsettled.note(folder)
  return doneWith(context, ours, lstatOrNull(context.calls, at.target))
}

async function replace(
  context: StepContext,
  file: string,
  at: Place,
  ours: FileStats,
  options: Replacing,
): Promise<StepResult> {
  const { calls } = context
  const { expected, old, durable, beside } = options
  if (!at.parent.isInPlace()) return changed
  // Looked at again, with ctime, since preparing took its time; then without, since our own link changes it.
  if (!isExpected(lstatOrNull(calls, at.target), expected, matchesStamp)) return changed
  let aside: Aside | null
  try {
    aside = linkAside(context, at, beside)
  } catch (error) {
    if (!isLinkRefused(error)) throw error
    return replaceWithoutLinks(context, file, at, ours, options)
  }
  if (aside === null) return changed
  // ORDER: the old content has a second name on the disk before it loses the first, or a power cut takes it.
  if (durable && old === 'trash')
    await (beside ? calls.fsync(at.parent.fd) : syncPath(calls, tmpFolder(context)))
  const linked = aside.look()
  if (!isExpected(linked, expected, matchesContent) || !isSame(lstatOrNull(calls, at.target), linked)) {
    // The extra name only: the file itself stays where it is.
    calls.unlinkSync(aside.file)
    return changed
  }
  try {
    // RACE: a file that is renamed over the target between the look above and this call is overwritten: two adjacent
    // system calls. Writes into the file, however late, are seen below.
    calls.renameSync(file, at.target)
  } catch (error) {
    calls.unlinkSync(aside.file)
    throw error
  }
  // ORDER: the new content has its name on the disk before the old one is given up.
  if (durable) await calls.fsync(at.parent.fd)
  if (!isExpected(aside.look(), expected, matchesContent)) {
    await undoReplace(context, file, at, ours, aside)
    return changed
  }
  await aside.settle(old)
  return doneWith(context, ours, lstatOrNull(calls, at.target))
}

/** Somebody wrote to the old file in the instant it was replaced: it gets its name back, ours is staged again. */
async function undoReplace(
  context: StepContext,
  file: string,
  at: Place,
  ours: FileStats,
  aside: Aside,
): Promise<void> {
  const { calls } = context
  const standing = lstatOrNull(calls, at.target)
  if (standing !== null && isSame(standing, ours) && standing.mtimeMs === ours.mtimeMs) {
    calls.linkSync(at.target, file)
    // Over our own content, which has its staged name again; the path is never without a file.
    calls.renameSync(aside.file, at.target)
    await calls.fsync(at.parent.fd)
    return
  }
  // The place has been taken again or deleted: both contents of the user stay.
  await aside.putBack()
}

/** No hard links here: aside by rename, look, and in. The path is without a file for an instant. */
async function replaceWithoutLinks(
  context: StepContext,
  file: string,
  at: Place,
  ours: FileStats,
  { expected, old, durable, beside }: Replacing,
): Promise<StepResult> {
  const aside = takeAside(context, at, beside)
  if (aside === null) return changed
  if (
    !isExpected(aside.look(), expected, matchesContent) ||
    renameToFree(context.calls, file, at.target) === 'taken'
  ) {
    await aside.putBack()
    return changed
  }
  if (durable) await context.calls.fsync(at.parent.fd)
  await aside.settle(old)
  return doneWith(context, ours, lstatOrNull(context.calls, at.target))
}

function isSame(left: FileStats | null, right: FileStats): boolean {
  return left !== null && left.ino === right.ino && left.dev === right.dev
}
