/** From the path of a URL to a place under the served folder; whatever could leave it is refused. */
import type { Stats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathBytesMax } from '../model/limits.ts'
import { HttpFailure, systemCode } from './http-failure.ts'

/** The server's own folder in the served one, there only while an upload is going on. Never listed, never served. */
export const uploadFolderName = '.davit-uploads'

export interface ServedPath {
  /** Decoded names below the root; none for the root itself. */
  readonly segments: readonly string[]
  /** The absolute path on disk. */
  readonly file: string
  /** Whether the URL ended in a slash. */
  readonly slash: boolean
}

/** Resolves the path of a request target or Destination. Throws 400 for what is no path and 403 for a way out. */
export function servedPath(root: string, urlPath: string): ServedPath {
  if (!urlPath.startsWith('/')) throw new HttpFailure(400, 'the path is not absolute')
  const segments: string[] = []
  for (const part of urlPath.split(/[?#]/, 1)[0]?.split('/') ?? []) {
    if (part === '') continue
    const name = decode(part)
    if (name === '.' || name === '..' || name.includes('/'))
      throw new HttpFailure(403, 'the path leaves its folder')
    // The listing package takes a backslash for a separator, and so does Windows.
    if (name.includes('\0') || name.includes('\\')) throw new HttpFailure(400, 'the name cannot be used')
    segments.push(name)
  }
  if (segments[0]?.normalize('NFKC').toLowerCase() === uploadFolderName)
    throw new HttpFailure(403, 'this name belongs to the server')
  if (Buffer.byteLength(segments.join('/')) > pathBytesMax) throw new HttpFailure(400, 'the path is too long')
  return { segments, file: join(root, ...segments), slash: /\/([?#]|$)/.test(urlPath) }
}

/**
 * What is there: a file or folder, or `null` when nothing is. Symbolic links and devices are refused with 403, as the
 * last name and as a folder on the way.
 *
 * RACE: somebody with access to the disk may put a link there between this look and the use. They have that access
 * already; clients of the server cannot make links.
 */
export async function lookUp(root: string, path: ServedPath): Promise<Stats | null> {
  let file = root
  let stats: Stats | null = await lstat(root)
  for (const [index, segment] of path.segments.entries()) {
    file = join(file, segment)
    stats = await lstat(file).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return null
      throw error
    })
    if (stats === null) return null
    const last = index === path.segments.length - 1
    if (!stats.isDirectory() && !(stats.isFile() && last)) {
      if (stats.isFile()) return null
      throw new HttpFailure(403, 'links and devices are not served')
    }
  }
  return stats
}

/** The folder that holds the path. */
export function parentPath(root: string, path: ServedPath): ServedPath {
  const segments = path.segments.slice(0, -1)
  return { segments, file: join(root, ...segments), slash: true }
}

/** Throws 409 unless the folder that is to hold the path exists. */
export async function requireParent(root: string, path: ServedPath): Promise<void> {
  const parent = await lookUp(root, parentPath(root, path))
  if (parent === null || !parent.isDirectory()) throw new HttpFailure(409, 'the parent folder does not exist')
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    throw new HttpFailure(400, `the path is not percent-encoded UTF-8 (${(error as Error).name})`)
  }
}
