/** What the writing steps share: where they work, how they look, and how a failed system call becomes a result. */
import path from 'node:path'
import type { Clock, Random } from '../model/clock.ts'
import type { DiskStamp, FilePath } from '../model/file-state.ts'
import { nameOf, parentOf } from '../model/path.ts'
import type { FileCalls, FileStats } from './file-calls.ts'
import { temporaryPrefix } from './ignore-rules.ts'
import { assertSafePath, type HeldFolder, type HoldResult, holdFolder } from './safe-path.ts'
import { isRacy, mtimeUsOf, stampOf } from './stamp.ts'
import { isMissing, isNameRefused, toDavitError } from './system-error.ts'
import { syncPath, type Unsettled } from './unsettled.ts'
import type { StepResult } from './workspace.ts'

export interface StepContext {
  /** Absolute and real. */
  readonly root: string
  /** Absolute; the trash is here. */
  readonly stateFolder: string
  /** Temporary and parked files; on the file system of the root. */
  readonly holdingFolder: string
  readonly calls: FileCalls
  readonly clock: Clock
  readonly random: Random
  /** Begins the names of this process's temporary files. */
  readonly session: string
  /** The file system takes names for equal that differ in case or normalisation. */
  readonly foldsNames: boolean
  /** What steps did and a power cut may undo. */
  readonly unsettled: Unsettled
  /** Free bytes that stay untouched. */
  readonly reserveBytes: number
}

export const changed = { kind: 'changed' } as const
export const done = { kind: 'done' } as const
export const gone = { kind: 'gone' } as const

/** A file's place: its name in the folder that holds it. */
export interface Place {
  readonly path: FilePath
  readonly name: string
  readonly parent: HeldFolder
  /** Path for system calls. */
  readonly target: string
}

/** The names in the place's folder have changed, and those in the folders in which it or one above was just made. */
export function noteNames(context: StepContext, place: Place): void {
  for (const folder of [parentOf(place.path), ...place.parent.madeIn]) context.unsettled.note(folder)
}

/** Validates the path, opens its folder, calls `act` and closes the folder again, whatever happens. */
export async function withPlace<R, M>(
  context: StepContext,
  filePath: FilePath,
  options: { readonly make: boolean; otherwise(result: Exclude<HoldResult, { kind: 'held' }>): M },
  act: (place: Place) => Promise<R>,
): Promise<R | M> {
  assertSafePath(filePath)
  const held = holdFolder(context.calls, context.root, parentOf(filePath), { make: options.make })
  if (held.kind !== 'held') return options.otherwise(held)
  const name = nameOf(filePath)
  try {
    return await act({ path: filePath, name, parent: held.folder, target: held.folder.at(name) })
  } finally {
    held.folder.close()
  }
}

/** As `withPlace` with missing folders made, which are removed again unless the step is done. */
export async function withNewPlace(
  context: StepContext,
  filePath: FilePath,
  act: (place: Place) => Promise<StepResult>,
): Promise<StepResult> {
  const otherwise = (result: Exclude<HoldResult, { kind: 'held' }>): StepResult =>
    result.kind === 'blocked' ? result : changed
  return asStep(filePath, () =>
    withPlace(context, filePath, { make: true, otherwise }, async (place) => {
      let result: StepResult | null = null
      try {
        if (context.foldsNames) {
          const twin = foldedAncestor(context, filePath)
          if (twin !== null) return unrepresentable(twin)
        }
        result = await act(place)
        return result
      } finally {
        if (result?.kind !== 'done') place.parent.unmake()
      }
    }),
  )
}

/** Turns refusals of a name into a result and every other failure into a DavitError. */
export async function asStep(subject: FilePath, act: () => Promise<StepResult>): Promise<StepResult> {
  try {
    return await act()
  } catch (error) {
    if (isNameRefused(error)) return unrepresentable(`The file system refuses the name '${subject}'.`)
    throw toDavitError(error, subject)
  }
}

export async function asRemoval<R>(subject: FilePath, act: () => Promise<R>): Promise<R> {
  try {
    return await act()
  } catch (error) {
    throw toDavitError(error, subject)
  }
}

export function unrepresentable(detail: string): StepResult {
  return { kind: 'unrepresentable', detail }
}

/** `null`: nothing is there. */
export function lstatOrNull(calls: FileCalls, target: string): FileStats | null {
  try {
    return calls.lstatSync(target)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** What to answer where a name that should be free is taken: by itself, or by a twin that this file system folds it to. */
export function taken(context: StepContext, place: Place): StepResult {
  if (!context.foldsNames || context.calls.readdirSync(place.parent.at('.')).includes(place.name))
    return changed
  return unrepresentable(
    `A name that differs only in case or normalisation stands in the way of '${place.path}'.`,
  )
}

/** A folder above the path that stands on the disk in another spelling. */
function foldedAncestor(context: StepContext, filePath: FilePath): string | null {
  let here = ''
  for (const segment of parentOf(filePath).split('/')) {
    if (segment === '') continue
    if (!context.calls.readdirSync(path.join(context.root, here)).includes(segment))
      return `The folder '${path.join(here, segment)}' stands here in another spelling.`
    here = path.join(here, segment)
  }
  return null
}

/**
 * The result of a step that ended with `found` at its place, which has to be the file that the step put there. If
 * somebody has written to it since, the stamp is the one before that: it differs from the disk, so the next look
 * takes the edit for what it is.
 */
export function doneWith(
  context: StepContext,
  ours: FileStats,
  found: FileStats | null,
  options: { readonly racy?: boolean } = {},
): StepResult {
  const stamp = stampOf(ours)
  const same =
    found !== null &&
    found.ino === ours.ino &&
    found.size === ours.size &&
    found.mtimeMs === ours.mtimeMs &&
    found.isFile() === ours.isFile()
  if (!same) return { kind: 'done', stamp, racy: true, mtimeUs: mtimeUsOf(ours) }
  const now = context.clock.now()
  const racy = options.racy === true || isRacy(found.mtimeMs, now, now)
  return { kind: 'done', stamp: stampOf(found), racy, mtimeUs: mtimeUsOf(found) }
}

/** A fresh name for a temporary file, and where it lies: in the state folder, or beside a target on another device. */
export function temporaryFor(
  context: StepContext,
  kind: 'staged' | 'aside',
  beside: HeldFolder | null,
): string {
  const name = `${kind}-${context.session}-${context.random.hex(8)}`
  if (beside !== null) return beside.at(`${temporaryPrefix}${name}`)
  return path.join(tmpFolder(context), name)
}

export function tmpFolder(context: Pick<StepContext, 'holdingFolder'>): string {
  return path.join(context.holdingFolder, 'tmp')
}

export function deviceOf(context: StepContext): number {
  return context.calls.lstatSync(context.holdingFolder).dev
}

/** Whether `found` is a plain file, and the expected one. */
export function isExpected(
  found: FileStats | null,
  expected: DiskStamp,
  matches: (stats: FileStats, stamp: DiskStamp) => boolean,
): found is FileStats {
  return found?.isFile() === true && matches(found, expected)
}

/** For Davit's own folders: nobody else may read in them, since trash and parked files came from anywhere. */
export function makeOwnFolder(calls: FileCalls, folder: string): void {
  calls.mkdirSync(folder, { recursive: true, mode: 0o700 })
}

/** fsync of the folder and of those above it, up to and including `top`, which contains it. */
export async function syncUpTo(calls: FileCalls, folder: string, top: string): Promise<void> {
  for (let here = folder; ; here = path.dirname(here)) {
    await syncPath(calls, here)
    if (here === top || here === path.dirname(here)) return
  }
}
