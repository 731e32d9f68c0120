/**
 * Brings the local tree up to what the workspace holds: a merge of two streams in the order of paths, the scan and
 * the index, neither of which is ever held whole. Files that moved keep their identity; nothing is called deleted
 * that could not be looked at.
 */

import { isDavitError } from '../model/errors.ts'
import type { FileId, FilePath, LocalFile } from '../model/file-state.ts'
import { comparePaths, isAtOrBelow, parentOf } from '../model/path.ts'
import { isSameFile } from '../reconcile/detect-moves.ts'
import { foldPath, portabilityProblems } from '../reconcile/portable-path.ts'
import type { HashedFile, ScanBatch, ScanEntry } from '../workspace/workspace.ts'
import { clearScanProblems } from './clear-problems.ts'
import { breathe, type SyncContext } from './context.ts'
import { requireRoot } from './require-root.ts'
import type { RunState } from './run-state.ts'
import { arrivalOf, displacedOf, type Replaced, settle } from './settle-index.ts'

type FoundFile = Extract<ScanEntry, { readonly kind: 'file' }>
type FoundFolder = Extract<ScanEntry, { readonly kind: 'folder' }>

/** By the file's id: what was seen last counts. */
type ReplacedFiles = Map<FileId, Replaced>

/** Beyond this many replaced files in one go, they are taken as edits in place without looking for moves among them. */
const replacedMax = 50_000
/** How often more is looked at before what is missing counts as deleted, and what was found as new. */
const looksFurtherMax = 5
/** Former names looked at one by one; beyond that a look at everything is cheaper. */
const formerNamesMax = 1_000
/** Hashes under way at once; the workspace groups them. */
const hashingMax = 256
/** Rows written in one transaction, after which others have their turn. */
const rowsPerTransaction = 1_000

/** Scans each of these paths with everything below it (`''`: the whole workspace) and settles what was found. */
export async function indexWorkspace(
  context: SyncContext,
  run: RunState,
  paths: readonly FilePath[],
): Promise<void> {
  const replaced: ReplacedFiles = new Map()
  await look(context, run, paths, replaced)
  await lookFurther(context, run, paths, replaced)
  // ORDER: the root is looked at after the last folder was read and before anything counts as deleted. A disk that
  // was taken away meanwhile shows an empty folder.
  await requireRoot(context)
  await settle(context, run, [...replaced.values()])
  if (paths.includes('')) clearScanProblems(context, run)
}

async function look(
  context: SyncContext,
  run: RunState,
  paths: readonly FilePath[],
  replaced: ReplacedFiles,
): Promise<void> {
  const looked = withoutCovered(paths)
  for (const under of looked) await indexUnder(context, run, under, replaced)
  await indexFoldersAbove(context, run, looked, replaced)
}

/**
 * ORDER: before anything counts as deleted, or as new. A file that is missing where it was looked for may have been renamed to
 * where nobody has looked: called deleted it would lose its id, and metadata that were not committed yet, and come
 * back under its old name where the store has a newer content of it. Whatever moved it did so before it was missed, so
 * what changed until now tells where it is. What goes missing while that is looked at is followed likewise.
 *
 * A file that was found may have been renamed from where nobody has looked yet, since the two names of a rename are told
 * apart from each other, or just one of them was asked for: called new it would lose all that, too. The index tells
 * where it was.
 */
async function lookFurther(
  context: SyncContext,
  run: RunState,
  paths: readonly FilePath[],
  replaced: ReplacedFiles,
): Promise<void> {
  const isWhole = paths.includes('')
  const sought = new Set<FilePath>()
  for (let looks = 0; looks < looksFurtherMax; looks++) {
    const former = (await formerNames(context, replaced)).filter((path) => !sought.has(path))
    for (const path of former) sought.add(path)
    if (former.length > 0) {
      await look(context, run, former.length > formerNamesMax ? [''] : former, replaced)
      continue
    }
    if (context.database.trees.unsettledPage('vanished', { limit: 1 }).length === 0) return
    const changes = (await run.options.changes?.()) ?? null
    if (changes !== null) run.changes.push(changes)
    // Nobody watches: then only a look at everything can tell. It is worth it in a run; what the API has just deleted
    // itself is not looked for.
    const isSought = changes === null ? !isWhole && run.options.quiet !== true : changes.kind === 'everything'
    if (isSought) return look(context, run, [''], replaced)
    if (changes?.kind !== 'paths' || changes.paths.length === 0) return
    await look(context, run, changes.paths, replaced)
  }
}

/** Where the index still has files that were found elsewhere now. Another name of a file that has several is one, too. */
async function formerNames(context: SyncContext, replaced: ReplacedFiles): Promise<FilePath[]> {
  const { trees } = context.database
  const paths: FilePath[] = []
  const ask = (found: LocalFile) => {
    for (const arrival of arrivalOf(found, 'appeared'))
      for (const row of trees.settledByInode(arrival.stamp.inode)) {
        if (row.id === found.id || row.state.path === arrival.path || replaced.has(row.id)) continue
        if (displacedOf(row, 'vanished').some((former) => isSameFile(former, arrival)))
          paths.push(row.state.path)
      }
  }
  for (const { next } of replaced.values()) ask(next)
  for (let after: FileId | undefined; ; ) {
    const page = trees.unsettledPage('appeared', {
      limit: rowsPerTransaction,
      ...(after === undefined ? {} : { after }),
    })
    for (const row of page) ask(row)
    if (page.length < rowsPerTransaction) return paths
    after = page.at(-1)?.id
    await breathe()
  }
}

/**
 * A folder has an entry of its own only while it is empty, so what came or went below it decides on the folder as
 * well: each one that lost its last entry, or has an entry and something below it now, is looked at too.
 */
async function indexFoldersAbove(
  context: SyncContext,
  run: RunState,
  looked: readonly FilePath[],
  replaced: ReplacedFiles,
): Promise<void> {
  const { trees } = context.database
  const settled = new Set<FilePath>()
  for (const path of looked) {
    for (let folder = parentOf(path); folder !== '' && !settled.has(folder); folder = parentOf(folder)) {
      settled.add(folder)
      const isEntry = trees.localAt(folder)?.state.kind === 'folder'
      // One that is as it should be says nothing of those above it: it may have come and gone unseen.
      if (isEntry === trees.hasBelow('local', folder)) await indexUnder(context, run, folder, replaced)
    }
  }
}

/** Leaves out what lies below another one of the paths, and repetitions. */
export function withoutCovered(paths: readonly FilePath[]): FilePath[] {
  const sorted = [...new Set(paths)].sort(comparePaths)
  const kept: FilePath[] = []
  const covering = new Set<FilePath>()
  for (const path of sorted) {
    let covered = covering.has('')
    for (let slash = path.indexOf('/'); !covered && slash >= 0; slash = path.indexOf('/', slash + 1)) {
      covered = covering.has(path.slice(0, slash))
    }
    if (covered) continue
    covering.add(path)
    kept.push(path)
  }
  return kept
}

/** Reads the index in the order of paths, a page at a time. */
class IndexCursor {
  private page: LocalFile[] = []
  private position = 0
  private done = false
  private readonly context: SyncContext
  private readonly under: FilePath
  private after: FilePath | undefined

  constructor(context: SyncContext, under: FilePath) {
    this.context = context
    this.under = under
  }

  peek(): LocalFile | null {
    if (this.position >= this.page.length) {
      if (this.done) return null
      this.page = this.context.database.trees.localPage({
        under: this.under,
        limit: 2_000,
        ...(this.after === undefined ? {} : { after: this.after }),
      })
      this.position = 0
      this.done = this.page.length < 2_000
      this.after = this.page.at(-1)?.state.path ?? this.after
    }
    return this.page[this.position] ?? null
  }

  next(): void {
    this.position += 1
  }
}

async function indexUnder(
  context: SyncContext,
  run: RunState,
  under: FilePath,
  replaced: ReplacedFiles,
): Promise<void> {
  const cursor = new IndexCursor(context, under)
  /** The innermost unreadable path met last: the scan is in the order of paths, so one is enough for all below it. */
  let unknown: FilePath[] = []
  const isUnknown = (path: FilePath) => {
    unknown = unknown.filter(
      (folder) => comparePaths(path, folder) < 0 || isAtOrBelow(path, folder) || path.startsWith(folder),
    )
    return unknown.some((folder) => isAtOrBelow(path, folder))
  }
  let found = 0

  for await (const batch of context.workspace.scan({ under, signal: run.options.signal })) {
    tellProblems(context, run, batch)
    const gone: LocalFile[] = []
    const back: LocalFile[] = []
    const fresh: { readonly entry: FoundFile; readonly old: LocalFile | null }[] = []
    const folders: { readonly entry: FoundFolder; readonly old: LocalFile | null }[] = []
    for (const entry of batch.entries) {
      for (
        let row = cursor.peek();
        row !== null && comparePaths(row.state.path, entry.path) < 0;
        row = cursor.peek()
      ) {
        if (!isUnknown(row.state.path)) gone.push(row)
        cursor.next()
      }
      if (entry.kind === 'unknown') {
        unknown.push(entry.path)
        continue
      }
      const rows: LocalFile[] = []
      for (let row = cursor.peek(); row !== null && row.state.path === entry.path; row = cursor.peek()) {
        rows.push(row)
        cursor.next()
      }
      const known = standing(context, entry, rows)
      for (const row of rows) if (row !== known) gone.push(row)
      if (entry.kind === 'folder') {
        if (known !== null && known.absence === null) back.push(known)
        // Here it would be there again after each deletion elsewhere: what is ignored keeps the folder on the disk.
        else if (entry.holdsIgnored === true) gone.push(...(known === null ? [] : [known]))
        else folders.push({ entry, old: known })
      } else if (known !== null && isSameOnDisk(known, entry)) {
        back.push(known)
      } else {
        fresh.push({ entry, old: known })
      }
    }
    found += batch.entries.length
    markGone(context, gone, replaced)
    markBack(context, back, replaced)
    writeFolders(context, folders)
    await hashAll(context, run, fresh, replaced)
    run.progress('scan', found, found)
    await breathe()
  }
  const rest: LocalFile[] = []
  for (let row = cursor.peek(); row !== null; row = cursor.peek()) {
    if (!isUnknown(row.state.path)) rest.push(row)
    cursor.next()
    if (rest.length === rowsPerTransaction) {
      markGone(context, rest.splice(0), replaced)
      await breathe()
    }
  }
  markGone(context, rest, replaced)
}

/**
 * Which of the rows of a path stands there. There are several where a pull gave the path of a file to another one in the
 * moment in which somebody here had renamed or removed the first: that one is to be looked for, and the other one is no
 * edit of it.
 */
function standing(
  { database }: SyncContext,
  { path, kind, stamp }: FoundFile | FoundFolder,
  rows: readonly LocalFile[],
): LocalFile | null {
  const alike = rows.filter((row) => row.state.kind === kind)
  if (alike.length < 2) return alike[0] ?? null
  const isIt = (row: LocalFile) =>
    row.stamp?.inode === stamp.inode && row.stamp.birthtimeMs === stamp.birthtimeMs
  // Saved by renaming since: then over the one that the pull has put there.
  const committed = database.trees.remoteAt(path)?.id
  return alike.find(isIt) ?? alike.find(({ id }) => id === committed) ?? alike[0] ?? null
}

/** In one transaction: a folder can hold thousands of links. */
function tellProblems(context: SyncContext, run: RunState, batch: ScanBatch): void {
  const names = new FoldedNames()
  const problems = [...batch.problems]
  for (const entry of batch.entries) {
    if (entry.kind === 'unknown') continue
    const detail = [...portabilityProblems(entry.path), ...names.collisions(entry.path)].join(' ')
    if (detail !== '') problems.push({ path: entry.path, code: 'portability', detail })
  }
  if (problems.length === 0) return
  context.database.transaction(() => {
    for (const problem of problems) run.problem(problem)
  })
}

/** Names that are one name on a disk that ignores case or normalisation, among those that were shown to it. */
class FoldedNames {
  private readonly seen = new Map<string, FilePath>()

  collisions(path: FilePath): string[] {
    const folded = foldPath(path)
    const other = this.seen.get(folded)
    if (other === undefined) this.seen.set(folded, path)
    return other === undefined || other === path
      ? []
      : [`${JSON.stringify(other)} is the same name on a disk that ignores case or Unicode form.`]
  }
}

/** The rule of when a content need not be read again. */
function isSameOnDisk(row: LocalFile, entry: FoundFile): boolean {
  const { stamp } = row
  return (
    stamp !== null &&
    row.absence === null &&
    !row.racy &&
    stamp.size === entry.stamp.size &&
    stamp.mtimeMs === entry.stamp.mtimeMs &&
    stamp.ctimeMs === entry.stamp.ctimeMs &&
    stamp.inode === entry.stamp.inode &&
    row.state.executable === entry.executable
  )
}

function markGone(context: SyncContext, rows: readonly LocalFile[], replaced: ReplacedFiles): void {
  if (rows.length === 0) return
  const { trees } = context.database
  context.database.transaction(() => {
    for (const row of rows) {
      replaced.delete(row.id)
      // Seen for the first time within this look, and gone again: what it was before is told by another row.
      if (trees.presenceOf(row.id) === 'appeared') {
        trees.removeLocal(row.id)
        continue
      }
      if (row.absence === 'unrepresentable') continue
      if (row.absence === 'ignored') {
        // The rule that covered it is gone, and so is the file: it is fetched again.
        if (context.workspace.isIgnored(row.state.path)) continue
        trees.removeLocal(row.id)
        trees.putSynced(row.id, null)
        continue
      }
      if (context.workspace.isIgnored(row.state.path)) {
        // An ignore rule was added: the file is no longer looked at here, which deletes it nowhere.
        if (trees.triple(row.id).synced === null) trees.removeLocal(row.id)
        else trees.putLocal({ ...row, stamp: null, racy: false, absence: 'ignored' })
        continue
      }
      trees.setPresence(row.id, 'vanished')
    }
  })
}

/** A row that an earlier, interrupted look called vanished is there. */
function markBack(context: SyncContext, rows: readonly LocalFile[], replaced: ReplacedFiles): void {
  const { trees } = context.database
  for (const row of rows) replaced.delete(row.id)
  if (context.database.trees.unsettledPage('vanished', { limit: 1 }).length === 0) return
  context.database.transaction(() => {
    for (const row of rows) if (trees.presenceOf(row.id) === 'vanished') trees.setPresence(row.id, 'settled')
  })
}

function writeFolders(
  context: SyncContext,
  folders: readonly { readonly entry: FoundFolder; readonly old: LocalFile | null }[],
): void {
  if (folders.length === 0) return
  context.database.transaction(() => {
    for (const { entry, old } of folders) {
      context.database.trees.putLocal(
        {
          id: old?.id ?? context.random.uuid(),
          state: {
            path: entry.path,
            kind: 'folder',
            size: 0,
            hash: null,
            executable: false,
            mtimeUs: 0,
            metadata: old?.state.metadata ?? {},
          },
          stamp: entry.stamp,
          racy: false,
          absence: null,
        },
        old === null ? 'appeared' : 'settled',
      )
    }
  })
}

async function hashAll(
  context: SyncContext,
  run: RunState,
  fresh: readonly { readonly entry: FoundFile; readonly old: LocalFile | null }[],
  replaced: ReplacedFiles,
): Promise<void> {
  for (let start = 0; start < fresh.length; start += hashingMax) {
    run.options.signal.throwIfAborted()
    const block = fresh.slice(start, start + hashingMax)
    const hashed = await Promise.all(block.map(({ entry, old }) => hashOne(context, run, entry.path, old)))
    context.database.transaction(() => {
      block.forEach(({ entry, old }, index) => {
        const result = hashed[index]
        if (!result) {
          const { inode, birthtimeMs } = entry.stamp
          run.untold.set(inode, { birthtimeMs, path: entry.path })
          return
        }
        run.untold.delete(entry.stamp.inode)
        writeHashed(context, entry.path, old, result, replaced)
      })
    })
  }
}

/** `null` when the file cannot be told now: what the index knows of it stays. */
async function hashOne(
  context: SyncContext,
  run: RunState,
  path: FilePath,
  old: LocalFile | null,
): Promise<HashedFile | null> {
  try {
    return await context.workspace.hash(path, run.options.signal)
  } catch (error) {
    if (isDavitError(error, 'file-changed')) {
      run.again.add(path)
      return null
    }
    if (isDavitError(error, 'file-busy', 'file-unreadable', 'path-unsafe')) {
      const problem = { path, code: error.code, detail: error.message }
      run.skip(old?.id ?? `new ${path}`, problem)
      run.unread.add(path)
      return null
    }
    throw error
  }
}

function writeHashed(
  context: SyncContext,
  path: FilePath,
  old: LocalFile | null,
  hashed: HashedFile,
  replaced: ReplacedFiles,
): void {
  const { trees } = context.database
  const next: LocalFile = {
    id: old?.id ?? context.random.uuid(),
    state: {
      path,
      kind: 'file',
      size: hashed.stamp.size,
      hash: hashed.hash,
      executable: hashed.executable,
      mtimeUs: hashed.mtimeUs,
      metadata: old?.state.metadata ?? {},
    },
    stamp: hashed.stamp,
    racy: hashed.racy,
    absence: null,
  }
  if (old === null) {
    trees.putLocal(next, 'appeared')
    return
  }
  if (old.absence !== null && old.racy && trees.triple(old.id).synced?.hash !== hashed.hash) {
    // What was agreed on went on without this content (see `standAside`): it was not made from it. Nobody's edit is
    // undone by a file that was merely not looked at.
    trees.putSynced(old.id, null)
  }
  const presence = trees.presenceOf(old.id)
  const keeps = presence === 'appeared' ? 'appeared' : 'settled'
  const isReplaced =
    old.stamp !== null &&
    (old.stamp.inode !== hashed.stamp.inode || old.stamp.birthtimeMs !== hashed.stamp.birthtimeMs) &&
    keeps === 'settled'
  if (isReplaced && replaced.size < replacedMax) {
    // It is told once: an earlier look may have missed it here.
    if (presence === 'vanished') trees.setPresence(old.id, 'settled')
    replaced.set(old.id, { old, next })
    return
  }
  replaced.delete(old.id)
  trees.putLocal(next, keeps)
}
