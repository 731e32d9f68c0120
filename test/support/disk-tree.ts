/**
 * What a folder holds, by a walk of its own, and what the index says of it, in one form, so that the two can be held
 * against each other. Shares nothing with the product's scan: names as bytes, times as integers, its own recursion.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import type { Database } from '../../src/database/database.ts'
import type { FileId, FilePath } from '../../src/model/file-state.ts'

export interface TreeEntry {
  readonly kind: 'file' | 'folder'
  readonly size: number
  readonly hash: string | null
  readonly executable: boolean
  readonly mtimeUs: number
}

export interface DiskTree {
  readonly entries: ReadonlyMap<FilePath, TreeEntry>
  /** Links and what cannot be read: what the index knows at and below them stays as it is. */
  readonly unknown: readonly FilePath[]
}

/** A folder is an entry while nothing replicated and nothing ignored is in it. */
export function readDisk(
  root: string,
  options: {
    readonly under?: FilePath
    readonly ignores?: (path: FilePath, isFolder: boolean) => boolean
  } = {},
): DiskTree {
  const entries = new Map<FilePath, TreeEntry>()
  const unknown: FilePath[] = []
  const ignores = options.ignores ?? (() => false)

  /** Answers whether the folder holds anything but links, sockets and names that nobody can spell. */
  function walk(folder: FilePath): boolean {
    let isFilled = false
    for (const bytes of fs.readdirSync(bytesOf(root, folder), { encoding: 'buffer' })) {
      const name = bytes.toString('utf8')
      if (!Buffer.from(name, 'utf8').equals(bytes)) continue
      const target = folder === '' ? name : `${folder}/${name}`
      if (target === '.davit') continue
      if (visit(target)) isFilled = true
    }
    return isFilled
  }

  function visit(target: FilePath): boolean {
    let stats: fs.BigIntStats | undefined
    try {
      stats = fs.lstatSync(bytesOf(root, target), { bigint: true, throwIfNoEntry: false })
    } catch {
      unknown.push(target)
      return true
    }
    if (stats === undefined) return false
    if (ignores(target, stats.isDirectory())) return true
    if (stats.isSymbolicLink()) unknown.push(target)
    if (!stats.isFile() && !stats.isDirectory()) return false
    try {
      if (stats.isDirectory()) {
        if (!walk(target))
          entries.set(target, { kind: 'folder', size: 0, hash: null, executable: false, mtimeUs: 0 })
      } else {
        const content = fs.readFileSync(bytesOf(root, target))
        entries.set(target, {
          kind: 'file',
          size: content.length,
          hash: createHash('sha256').update(content).digest('hex'),
          executable: (stats.mode & 0o100n) !== 0n,
          mtimeUs: Number(stats.mtimeNs / 1_000n),
        })
      }
    } catch (error) {
      // Changed under the walk: whoever compares looks again.
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false
      unknown.push(target)
    }
    return true
  }

  const under = options.under ?? ''
  if (under === '') walk('')
  else visit(under)
  return { entries, unknown }
}

function bytesOf(root: string, target: FilePath): Buffer {
  return Buffer.from(target === '' ? root : `${root}/${target}`, 'utf8')
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? ''
}

/**
 * Each difference in words; empty when the index's local tree says of the disk exactly what is there: paths, kinds,
 * sizes, hashes, the executable bit and modification times, and nothing is left half looked at.
 */
export function indexDifferences(database: Database, disk: DiskTree, under: FilePath = ''): string[] {
  const { trees } = database
  const different: string[] = []
  const missing = new Map(disk.entries)
  const isUnknown = createCover(disk.unknown)
  for (let after: FilePath | undefined; ; ) {
    const page = trees.localPage({ under, limit: 5_000, ...(after === undefined ? {} : { after }) })
    for (const { id, state, absence } of page) {
      if (absence === 'ignored') continue
      if (isUnknown(state.path)) {
        missing.delete(state.path)
        continue
      }
      const say = (what: string) => different.push(`${JSON.stringify(state.path)}: ${what}`)
      const found = disk.entries.get(state.path)
      const presence = presenceOf(database, id)
      if (found === undefined) say(`is indexed as a ${state.kind} and is not on disk (${presence})`)
      else if (!missing.delete(state.path)) say('is indexed twice')
      else {
        if (absence !== null || presence !== 'settled') say(`stands as ${absence ?? presence}`)
        if (found.kind !== state.kind) say(`is a ${found.kind}, indexed as a ${state.kind}`)
        if (found.size !== state.size) say(`has ${found.size} bytes, indexed with ${state.size}`)
        if (found.hash !== state.hash) say('has another content than indexed')
        if (found.executable !== state.executable) say('has another executable bit than indexed')
        // The product rounds, from a number that has not quite the precision of the system's.
        if (Math.abs(found.mtimeUs - state.mtimeUs) > 1)
          say(`was modified at ${found.mtimeUs}, indexed ${state.mtimeUs}`)
      }
    }
    if (page.length < 5_000) break
    after = page.at(-1)?.state.path
  }
  for (const target of missing.keys())
    if (!isUnknown(target)) different.push(`${JSON.stringify(target)}: is not indexed`)
  return different
}

function presenceOf(database: Database, id: FileId): string {
  return database.trees.presenceOf(id) ?? 'nowhere'
}

function createCover(folders: readonly FilePath[]): (path: FilePath) => boolean {
  return (path) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`))
}
