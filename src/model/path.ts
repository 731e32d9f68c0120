/** Workspace paths as values: order, ancestry, and the one rule about which of them may ever touch a disk. */
import type { FilePath } from './file-state.ts'
import { pathBytesMax, segmentBytesMax } from './limits.ts'

/** The folder that Davit keeps for itself at the root of every workspace. Never replicated. */
export const stateFolderName = '.davit'

/** Compares by UTF-8 bytes, which is the order of Unicode code points: negative, zero or positive. */
export function comparePaths(left: FilePath, right: FilePath): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a === b) continue
    // Surrogates (U+10000 and above) come after the rest of the basic plane in UTF-8, not before U+E000.
    const aHigh = a >= 0xd800 && a <= 0xdfff
    const bHigh = b >= 0xd800 && b <= 0xdfff
    if (aHigh !== bHigh) return aHigh ? 1 : -1
    return a - b
  }
  return left.length - right.length
}

/** The folder that holds the path; `''` is the root. */
export function parentOf(path: FilePath): FilePath {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

export function nameOf(path: FilePath): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The folders above a path, nearest first, without the root. */
export function ancestorsOf(path: FilePath): FilePath[] {
  const folders: FilePath[] = []
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) folders.push(folder)
  return folders
}

/** Whether the path is the folder itself or anything below it; `''` covers everything. */
export function isAtOrBelow(path: FilePath, folder: FilePath): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`)
}

/**
 * Why a path must never be used on a disk; `null` when it may. Whatever comes from the remote or through the API
 * passes here first. (Whether this platform can hold the name is another question; see reconcile/portable-path.)
 */
export function unsafePathReason(path: string): string | null {
  if (path === '') return 'it is empty'
  if (!path.isWellFormed()) return 'it is not well-formed Unicode'
  if (path.includes('\0')) return 'it contains a NUL character'
  if (path.startsWith('/')) return 'it is absolute'
  if (Buffer.byteLength(path) > pathBytesMax) return `it is longer than ${pathBytesMax} bytes`
  const segments = path.split('/')
  for (const segment of segments) {
    if (segment === '') return 'it has an empty segment'
    if (segment === '.' || segment === '..') return `it has a segment '${segment}'`
    if (Buffer.byteLength(segment) > segmentBytesMax * 4) return 'a segment is too long'
  }
  // The state folder in any spelling that a case-insensitive or normalising file system would take for it.
  if (segments[0]?.normalize('NFKC').toLowerCase() === stateFolderName)
    return "it is inside Davit's own folder"
  return null
}
