/**
 * What a PROPFIND tells about, read from disk before any of it is said. An unreadable folder is an error here, never
 * an empty listing.
 */
import type { Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { HttpFailure, systemCode } from './http-failure.ts'
import { lookUp, type ServedPath, uploadFolderName } from './served-path.ts'

export interface Listing {
  readonly self: Stats
  /** Files and folders by name; empty for a file and for depth 0. */
  readonly children: ReadonlyMap<string, Stats>
}

/** Looks at the path and, for depth 1, at what is in it. Throws 404 when there is nothing. */
export async function readListing(root: string, path: ServedPath, depth: 0 | 1): Promise<Listing> {
  const self = await lookUp(root, path)
  if (self === null || (path.slash && self.isFile())) throw new HttpFailure(404, 'not found')
  const children = new Map<string, Stats>()
  if (depth === 0 || !self.isDirectory()) return { self, children }
  const names = (await readdir(path.file)).filter((name) => isListed(name, path))
  const lookUpsMax = 64
  for (let first = 0; first < names.length; first += lookUpsMax) {
    await Promise.all(
      names.slice(first, first + lookUpsMax).map(async (name) => {
        const stats = await lstat(join(path.file, name)).catch((error: unknown) => {
          // Deleted while the folder was read.
          if (systemCode(error) === 'ENOENT') return null
          throw error
        })
        if (stats !== null && (stats.isFile() || stats.isDirectory())) children.set(name, stats)
      }),
    )
  }
  return { self, children }
}

function isListed(name: string, folder: ServedPath): boolean {
  if (folder.segments.length === 0 && name === uploadFolderName) return false
  // Names that no request could address.
  return !name.includes('\\') && name.isWellFormed() && !name.includes('�')
}
