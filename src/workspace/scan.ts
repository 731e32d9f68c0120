/**
 * The walk over the workspace: what is there, in ascending order of the path's bytes. Looks with lstat only, follows
 * no link, and never takes an error for an absence: what cannot be read is `unknown`.
 *
 * A folder is met twice: under `name`, where it is looked into to see whether it has an entry of its own, and under
 * `name/`, where its content belongs in the order. In between its listing is kept.
 */
import path from 'node:path'
import { DavitError } from '../model/errors.ts'
import type { FilePath } from '../model/file-state.ts'
import { pathBytesMax } from '../model/limits.ts'
import { ancestorsOf, comparePaths, unsafePathReason } from '../model/path.ts'
import type { Problem } from '../model/run.ts'
import { type FileCalls, type FileStats, type FolderEntry, systemFileCalls } from './file-calls.ts'
import { type IgnoreRules, isOwnFolder, temporaryPrefix } from './ignore-rules.ts'
import { isExecutable, mtimeUsOf, stampOf } from './stamp.ts'
import { isMissing, systemCode } from './system-error.ts'
import type { ScanBatch, ScanEntry } from './workspace.ts'

/** Entries of one batch. */
export const scanBatchEntries = 2_000

export type ScanCalls = Pick<FileCalls, 'readEntriesSync' | 'readNamesSync' | 'lstatSync'>

type Item =
  | { readonly kind: 'leaf'; readonly key: string; readonly type: 'file' | 'link' | 'special' }
  | { readonly kind: 'peek'; readonly key: string; readonly listing: { value: Item[] | null } }
  | { readonly kind: 'descend'; readonly key: string; readonly listing: { value: Item[] | null } }

interface Level {
  readonly folder: FilePath
  readonly items: readonly Item[]
  next: number
}

/**
 * Yields batches of at most `scanBatchEntries`. Throws `workspace-vanished` when the root cannot be read, or is
 * another one at the end than at the start: what was not found meanwhile would not be missing.
 */
export function* walk(options: {
  readonly root: string
  readonly under: FilePath
  readonly rules: IgnoreRules
  readonly calls?: ScanCalls
}): Generator<ScanBatch> {
  const walker = new Walker(options.root, options.rules, options.calls ?? systemFileCalls)
  const before = walker.rootIdentity()
  yield* walker.batches(options.under)
  const after = walker.rootIdentity()
  if (before.ino !== after.ino || before.dev !== after.dev) throw vanished(options.root, null)
}

/** One entry, looked at by itself; `null` when nothing replicable is there. */
export function lookAt(options: {
  readonly root: string
  readonly path: FilePath
  readonly rules: IgnoreRules
  readonly calls?: ScanCalls
}): ScanEntry | null {
  const walker = new Walker(options.root, options.rules, options.calls ?? systemFileCalls)
  walker.rootIdentity()
  return walker.look(options.path)
}

class Walker {
  private readonly root: string
  private readonly rules: IgnoreRules
  private readonly calls: ScanCalls
  private entries: ScanEntry[] = []
  private problems: Problem[] = []
  private levels: Level[] = []

  constructor(root: string, rules: IgnoreRules, calls: ScanCalls) {
    this.root = root
    this.rules = rules
    this.calls = calls
  }

  rootIdentity(): FileStats {
    try {
      const stats = this.calls.lstatSync(this.root)
      if (stats.isDirectory()) return stats
    } catch (error) {
      throw vanished(this.root, error)
    }
    throw vanished(this.root, null)
  }

  *batches(under: FilePath): Generator<ScanBatch> {
    this.start(under)
    for (let level = this.levels.at(-1); level !== undefined; level = this.levels.at(-1)) {
      const item = level.items[level.next++]
      if (item === undefined) this.levels.pop()
      else this.visit(level.folder, item)
      if (this.entries.length + this.problems.length >= scanBatchEntries) yield this.take()
    }
    if (this.entries.length + this.problems.length > 0) yield this.take()
  }

  look(target: FilePath): ScanEntry | null {
    this.start(target)
    const item = this.levels[0]?.items[0]
    if (item !== undefined && item.kind !== 'descend') this.visit('', item)
    const unknown = this.entries.find((entry) => entry.kind === 'unknown')
    if (unknown !== undefined) return { ...unknown, path: target }
    return this.entries[0] ?? null
  }

  private take(): ScanBatch {
    const batch = { entries: this.entries, problems: this.problems }
    this.entries = []
    this.problems = []
    return batch
  }

  private start(under: FilePath): void {
    if (under === '') {
      try {
        this.levels.push({
          folder: '',
          items: this.itemsOf('', this.calls.readEntriesSync(this.root)),
          next: 0,
        })
      } catch (error) {
        throw vanished(this.root, error)
      }
      return
    }
    for (const folder of ancestorsOf(under).reverse()) {
      if (this.rules.ignores(folder, 'folder')) return
      const stats = this.lstat(folder)
      if (stats === null) return
      if (!stats.isDirectory()) {
        if (stats.isSymbolicLink()) this.link(folder)
        return
      }
    }
    const stats = this.lstat(under)
    if (stats === null) return
    const folder = stats.isDirectory()
    if (this.rules.ignores(under, folder ? 'folder' : 'file')) return
    const type = typeOf(stats)
    const listing = { value: null }
    const items: Item[] =
      type === 'folder'
        ? [
            { kind: 'peek', key: under, listing },
            { kind: 'descend', key: `${under}/`, listing },
          ]
        : [{ kind: 'leaf', key: under, type }]
    this.levels.push({ folder: '', items, next: 0 })
  }

  private visit(folder: FilePath, item: Item): void {
    const target = folder === '' ? item.key : `${folder}/${item.key}`
    switch (item.kind) {
      case 'leaf':
        this.visitLeaf(target, item.type)
        return
      case 'peek':
        this.visitFolder(target, item.listing)
        return
      case 'descend':
        if (item.listing.value !== null)
          this.levels.push({ folder: target.slice(0, -1), items: item.listing.value, next: 0 })
    }
  }

  private visitLeaf(target: FilePath, listedAs: 'file' | 'link' | 'special'): void {
    const stats = listedAs === 'file' ? this.lstat(target) : null
    if (listedAs === 'file' && stats === null) return
    const type = stats === null ? listedAs : typeOf(stats)
    if (type === 'link') this.link(target)
    else if (type === 'special')
      this.problem(target, 'special-skipped', 'Sockets, pipes and devices are not replicated.')
    // It became a folder since it was listed; its content has another place in the order. The next look will tell.
    else if (type === 'folder' || stats === null)
      this.entries.push({ kind: 'unknown', path: target, why: 'unreadable' })
    else
      this.entries.push({
        kind: 'file',
        path: target,
        stamp: stampOf(stats),
        executable: isExecutable(stats),
        mtimeUs: mtimeUsOf(stats),
      })
  }

  private visitFolder(target: FilePath, listing: { value: Item[] | null }): void {
    const ignored = { count: 0 }
    try {
      listing.value = this.itemsOf(target, this.calls.readEntriesSync(path.join(this.root, target)), ignored)
    } catch (error) {
      // ENOTDIR: it became something else since it was listed; the next look will tell.
      if (systemCode(error) === 'ENOTDIR')
        this.entries.push({ kind: 'unknown', path: target, why: 'unreadable' })
      else if (systemCode(error) !== 'ENOENT') this.unknown(target, error)
      return
    }
    const holdsSomething = listing.value.some((item) => item.kind !== 'leaf' || item.type === 'file')
    if (holdsSomething) return
    const stats = this.lstat(target)
    if (stats?.isDirectory() !== true) return
    const entry = { kind: 'folder', path: target, stamp: stampOf(stats) } as const
    this.entries.push(ignored.count > 0 ? { ...entry, holdsIgnored: true } : entry)
  }

  /** What of a folder's listing is to be visited, in order. */
  private itemsOf(folder: FilePath, listed: readonly FolderEntry[], ignored = { count: 0 }): Item[] {
    const items: Item[] = []
    for (const { entry, name } of this.withReadableNames(folder, listed)) {
      const target = folder === '' ? name : `${folder}/${name}`
      const type = typeOf(entry)
      if (this.rules.ignores(target, type === 'folder' ? 'folder' : 'file')) {
        ignored.count++
        this.reportIgnored(folder, name, target)
        continue
      }
      if (target.length * 3 > pathBytesMax) {
        const reason = unsafePathReason(target)
        if (reason !== null) {
          ignored.count++
          this.problem(target, 'path-unsafe', `It is left out: ${reason}.`)
          continue
        }
      }
      if (type === 'folder') {
        const listing = { value: null }
        items.push({ kind: 'peek', key: name, listing }, { kind: 'descend', key: `${name}/`, listing })
      } else items.push({ kind: 'leaf', key: name, type })
    }
    return items.sort((left, right) => comparePaths(left.key, right.key))
  }

  private reportIgnored(folder: FilePath, name: string, target: FilePath): void {
    if (name.startsWith(temporaryPrefix))
      this.problem(
        target,
        'leftover',
        'A temporary file of Davit, left by an interrupted step; see what is in it.',
      )
    else if (folder === '' && name !== '.davit' && isOwnFolder(name))
      this.problem(
        target,
        'path-unsafe',
        'Some file systems would take the name for that of the state folder.',
      )
  }

  /** Leaves out names that are no UTF-8: they have no path that could be handed to anybody. */
  private *withReadableNames(
    folder: FilePath,
    listed: readonly FolderEntry[],
  ): Generator<{ entry: FolderEntry; name: string }> {
    let sound: Set<string> | null = null
    const seen = new Set<string>()
    for (const entry of listed) {
      const name = entry.name
      // Node shows what it cannot decode as U+FFFD, which is also a character that a name may hold.
      if (name.includes('\uFFFD')) {
        sound ??= this.soundNames(folder)
        if (seen.has(name)) continue
        seen.add(name)
        if (!sound.has(name)) {
          const target = folder === '' ? name : `${folder}/${name}`
          this.problem(
            target,
            'name-not-utf8',
            'The name is no valid UTF-8; rename the file to have it replicated.',
          )
          continue
        }
      }
      yield { entry, name }
    }
  }

  private soundNames(folder: FilePath): Set<string> {
    const sound = new Set<string>()
    try {
      for (const bytes of this.calls.readNamesSync(path.join(this.root, folder))) {
        const name = bytes.toString('utf8')
        if (Buffer.from(name, 'utf8').equals(bytes)) sound.add(name)
      }
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    return sound
  }

  private lstat(target: FilePath): FileStats | null {
    try {
      return this.calls.lstatSync(path.join(this.root, target))
    } catch (error) {
      if (!isMissing(error)) this.unknown(target, error)
      return null
    }
  }

  /** A folder that was moved away and linked to was not deleted: what stood there stays unknown. */
  private link(target: FilePath): void {
    this.entries.push({ kind: 'unknown', path: target, why: 'link' })
    this.problem(target, 'link-skipped', 'Symbolic links are not followed.')
  }

  private unknown(target: FilePath, error: unknown): void {
    this.entries.push({ kind: 'unknown', path: target, why: 'unreadable' })
    this.problem(target, 'unreadable', `It cannot be read (${systemCode(error) || String(error)}).`)
  }

  private problem(target: FilePath, code: string, detail: string): void {
    this.problems.push({ path: target, code, detail })
  }
}

function typeOf(entry: FileStats | FolderEntry): 'file' | 'folder' | 'link' | 'special' {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'folder'
  return entry.isSymbolicLink() ? 'link' : 'special'
}

function vanished(root: string, cause: unknown): DavitError {
  return new DavitError('workspace-vanished', `The workspace '${root}' cannot be read.`, {
    action: 'ask',
    hint: 'Check that the disk is mounted and the folder exists and may be read.',
    ...(cause === null ? {} : { cause }),
  })
}
