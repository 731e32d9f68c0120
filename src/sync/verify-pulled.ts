/**
 * Durability of large pulls without an fsync for each file: what was pulled is listed; if the machine stopped before
 * the system had written it out, each is held against its hash before the scan may take it for somebody's edit.
 */
import { liveState } from '../model/dirtiness.ts'
import { isDavitError } from '../model/errors.ts'
import type { DiskStamp, FileId, FilePath, FileState, FileTriple } from '../model/file-state.ts'
import type { HashedFile, ScanEntry } from '../workspace/workspace.ts'
import { breathe, type SyncContext } from './context.ts'

type FoundFile = Extract<ScanEntry, { readonly kind: 'file' }>

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
  if (!isSameBoot) await verifyAll(context)
  database.transaction(() => {
    if (!isSameBoot) {
      database.pulled.clear()
      database.settings.set(pulledSinceKey, null)
    }
    database.settings.set(bootKey, boot)
  })
}

interface Pulled {
  readonly triple: FileTriple
  /** Where it is looked for, with the content that was pulled. */
  readonly state: FileState
}

interface Found {
  readonly file: Pulled
  /** What stands at its path. */
  readonly found: HashedFile
  readonly isTorn: boolean
}

async function verifyAll(context: SyncContext): Promise<void> {
  const { trees, pulled } = context.database
  const missing: Pulled[] = []
  const others: Found[] = []
  for (const { id, hash } of pulled.all()) {
    const triple = trees.triple(id)
    const live = liveState(triple)
    if (live === null || live.hash !== hash) continue
    const file = { triple, state: { ...live, path: standingPath(triple, live) } }
    const finding = await judge(context, file)
    if (finding === 'missing') missing.push(file)
    else if (finding !== 'kept')
      others.push(
        'torn' in finding
          ? { file, found: finding.torn, isTorn: true }
          : { file, found: finding.another, isTorn: false },
      )
  }
  const owners = await ownersOf(context, others)
  for (const other of others) {
    const { file, found, isTorn } = other
    const isItself = isSameFile(file.triple.local?.stamp ?? null, found.stamp)
    // Somebody moved another file here: what stands here is that one, and this one has to be looked for.
    if (owners.has(found.stamp.inode)) missing.push(file)
    else if (isTorn && (await takeOff(context, other))) {
      // What it had replaced stood here: this one may have been moved before the next start.
      if (isItself || file.triple.local === null) fetchAgain(context, file)
      else missing.push(file)
    }
  }
  if (missing.length === 0) return
  // Somebody may have renamed it, or a folder above it, before this start.
  const standing = await entriesByInode(context, missing)
  for (const file of missing) {
    const entry = standing.get(file.triple.local?.stamp?.inode ?? -1)
    const isSame = entry !== undefined && isSameFile(file.triple.local?.stamp ?? null, entry.stamp)
    const moved = isSame ? { ...file, state: { ...file.state, path: entry.path } } : null
    const finding = moved === null ? 'missing' : await judge(context, moved)
    if (finding === 'missing' || moved === null) fetchAgain(context, file)
    else if (finding === 'kept' || 'another' in finding) continue
    else if (await takeOff(context, { file: moved, found: finding.torn })) fetchAgain(context, file)
  }
}

/** Inodes of files found at other files' places that the index knows for files of their own. */
async function ownersOf({ database }: SyncContext, others: readonly Found[]): Promise<Set<number>> {
  const births = new Map<number, number>()
  for (const { file, found } of others)
    if (!isSameFile(file.triple.local?.stamp ?? null, found.stamp))
      births.set(found.stamp.inode, found.stamp.birthtimeMs)
  const owners = new Set<number>()
  if (births.size === 0) return owners
  for (let after: FilePath | undefined; ; ) {
    const page = database.trees.localPage({ limit: 2_000, ...(after === undefined ? {} : { after }) })
    for (const { stamp } of page)
      if (stamp !== null && births.get(stamp.inode) === stamp.birthtimeMs) owners.add(stamp.inode)
    after = page.at(-1)?.state.path
    if (page.length < 2_000) return owners
    await breathe()
  }
}

async function entriesByInode(
  { workspace }: SyncContext,
  files: readonly Pulled[],
): Promise<Map<number, FoundFile>> {
  const wanted = new Set(files.map(({ triple }) => triple.local?.stamp?.inode))
  const found = new Map<number, FoundFile>()
  for await (const { entries } of workspace.scan({ under: '' }))
    for (const entry of entries)
      if (entry.kind === 'file' && wanted.has(entry.stamp.inode)) found.set(entry.stamp.inode, entry)
  return found
}

function fetchAgain({ database, emit }: SyncContext, { triple, state }: Pulled): void {
  const { id } = triple
  database.transaction(() => {
    if (triple.local !== null) database.trees.removeLocal(id)
    database.trees.putSynced(id, null)
  })
  const detail = 'The machine stopped while it was written; it is fetched again.'
  emit({ type: 'file.rescued', data: { fileId: id, path: state.path, rule: 'torn', detail } })
}

/** Where the file is to be looked for: it may have been renamed since it was pulled, here or elsewhere. */
function standingPath({ local, synced }: FileTriple, live: FileState): FilePath {
  const isSettled = local !== null && local.absence === null && synced?.hash === live.hash
  return isSettled ? local.state.path : live.path
}

/** `torn` is what the machine left of it, `another` a file that is not the one that was placed there. */
type Finding = 'kept' | 'missing' | { readonly torn: HashedFile } | { readonly another: HashedFile }

/** What stands there. */
async function judge(
  { workspace, database }: SyncContext,
  { triple: { id, local, synced }, state: pulled }: Pulled,
): Promise<Finding> {
  // Else the machine stopped between the place that it was given and its row.
  const isSettled = synced?.hash === pulled.hash
  try {
    const found = await workspace.hash(pulled.path)
    if (found.hash === pulled.hash) return 'kept'
    if (local !== null) {
      // Seen since: whatever it is, it was looked at and decided on.
      if (isSettled && local.state.hash !== pulled.hash) return 'kept'
      // What it was before: it is pulled once more in any case. Elsewhere: this is another file.
      if (!isSettled && (found.hash === local.state.hash || local.state.path !== pulled.path)) return 'kept'
    }
    // Of nothing, or with the time that was set when it was pulled: torn. Another file, older than the pull: what it had
    // replaced. The same file with such a time was edited by a clock that went back.
    const since = database.settings.get(pulledSinceKey)
    const isAnother = isSettled && local !== null && !isSameFile(local.stamp, found.stamp)
    const isOlder = isAnother && typeof since === 'number' && found.mtimeUs / 1_000 < since - clockStepMs
    const hasSetTime =
      isSettled && local !== null && local.stamp !== null
        ? found.stamp.mtimeMs === local.stamp.mtimeMs
        : couldBeStored(pulled.mtimeUs, found.mtimeUs)
    const isFormer = isAnother && isFormerContent(database, id, found)
    if (hasSetTime || found.stamp.size === 0 || isOlder || isFormer) return { torn: found }
    return isAnother ? { another: found } : 'kept'
  } catch (error) {
    // Nothing is there: its name never reached the disk. Taken for a deletion, it would be deleted everywhere.
    if (isDavitError(error, 'file-changed')) {
      const stoodHere = local !== null && (isSettled || local.state.path === pulled.path)
      return stoodHere && (await workspace.look(pulled.path)) === null ? 'missing' : 'kept'
    }
    // The scan says what that means.
    if (isDavitError(error, 'file-unreadable', 'file-busy', 'path-unsafe')) return 'kept'
    throw error
  }
}

/** Former versions that are looked at: as many as may have been pulled since the last barrier, and more. */
const formerMax = 50

/** Whether it is what an earlier pull had placed there, whole or torn in its turn. */
function isFormerContent({ history }: SyncContext['database'], id: FileId, found: HashedFile): boolean {
  return history
    .ofFile(id, { limit: formerMax })
    .some(({ state }) => state.hash === found.hash || couldBeStored(state.mtimeUs, found.mtimeUs))
}

function isSameFile(known: DiskStamp | null, found: DiskStamp): boolean {
  return known !== null && known.inode === found.inode && known.birthtimeMs === found.birthtimeMs
}

/** To the trash. Answers whether it was done: whoever has changed it meanwhile has it back. */
async function takeOff(
  { workspace }: SyncContext,
  { file, found }: Pick<Found, 'file' | 'found'>,
): Promise<boolean> {
  try {
    const result = await workspace.remove(file.state.path, { expected: found.stamp, old: 'trash' })
    if (result.kind !== 'done') return false
    // ORDER: gone from the disk before it goes from the index, or it is a new file after another power cut.
    await workspace.makeDurable()
    return true
  } catch (error) {
    // The scan says what that means.
    if (isDavitError(error, 'file-changed', 'file-unreadable', 'file-busy', 'path-unsafe')) return false
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
