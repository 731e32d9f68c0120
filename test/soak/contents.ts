/** What lies on the disk: workspaces, trashes and the store, read as plain files. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { ContentHash, FilePath } from '../../src/model/file-state.ts'
import type { Entry, Tree } from './oracle.ts'

export function hashOf(content: Uint8Array | string): ContentHash {
  return createHash('sha256').update(content).digest('hex')
}

/** Hashes files; one whose inode, size and times are as they were is not read again. */
export class HashCache {
  private readonly known = new Map<string, { readonly mark: string; readonly hash: ContentHash }>()

  /** `null`: it went away meanwhile, or is no file. */
  async hash(file: string): Promise<ContentHash | null> {
    try {
      const { ino, size, mtimeNs, ctimeNs } = await lstat(file, { bigint: true })
      const mark = `${ino} ${size} ${mtimeNs} ${ctimeNs}`
      const known = this.known.get(file)
      if (known?.mark === mark) return known.hash
      const digest = createHash('sha256')
      await pipeline(createReadStream(file), digest)
      const hash = digest.digest('hex')
      this.known.set(file, { mark, hash })
      return hash
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EISDIR'))
        return null
      throw error
    }
  }
}

/** Every file below a folder, by its full path; nothing where there is no such folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true, recursive: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** A workspace without its state folder: its files, and the folders that are empty. */
export async function readTree(folder: string, cache: HashCache): Promise<Tree> {
  const tree = new Map<FilePath, Entry>()
  const walk = async (path: FilePath) => {
    const entries = await readdir(join(folder, path), { withFileTypes: true })
    const shown = entries.filter(({ name }) => path !== '' || name !== '.davit')
    if (shown.length === 0 && path !== '') tree.set(path, { hash: null, executable: false })
    for (const entry of shown) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`
      if (entry.isDirectory()) await walk(below)
      else {
        const file = join(folder, below)
        const hash = await cache.hash(file)
        if (hash !== null) tree.set(below, { hash, executable: ((await lstat(file)).mode & 0o100) !== 0 })
      }
    }
  }
  await walk('')
  return tree
}

const blobName = /\/[0-9a-f]{2}\/([0-9a-f]{64})-[0-9a-f]{16,64}$/

/** Hashes of all contents that can be had again: in the workspaces, in their trashes, and whole in the store. */
export async function readHoldings(
  workspaces: readonly string[],
  store: string,
  cache: HashCache,
): Promise<Set<ContentHash>> {
  const held = new Set<ContentHash>()
  const take = async (files: readonly string[]) => {
    for (const file of files) {
      const hash = await cache.hash(file)
      if (hash !== null) held.add(hash)
    }
  }
  for (const workspace of workspaces) {
    await take((await filesBelow(workspace)).filter((file) => !file.startsWith(`${workspace}/.davit/`)))
    await take(await filesBelow(join(workspace, '.davit', 'trash')))
    await take(await filesBelow(join(workspace, '.davit', 'backups')))
  }
  for (const file of await filesBelow(store)) {
    const named = blobName.exec(file)?.[1]
    // A torso under a good name holds nothing.
    if (named !== undefined && (await cache.hash(file)) === named) held.add(named)
  }
  return held
}

/** Bytes and number of the files below a folder. */
export async function sizeOf(folder: string): Promise<{ readonly bytes: number; readonly files: number }> {
  let bytes = 0
  const files = await filesBelow(folder)
  for (const file of files) bytes += (await lstat(file).catch(() => null))?.size ?? 0
  return { bytes, files: files.length }
}
