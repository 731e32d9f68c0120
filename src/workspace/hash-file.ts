/** Hashes a file that may be written to meanwhile: the hash is of a state that the file really had, or there is none. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { DavitError } from '../model/errors.ts'
import type { FilePath } from '../model/file-state.ts'
import { nameOf, parentOf } from '../model/path.ts'
import { type FileCalls, systemFileCalls } from './file-calls.ts'
import { assertSafePath, holdFolder } from './safe-path.ts'
import { isExecutable, matchesStamp, mtimeUsOf, stampOf } from './stamp.ts'
import { toDavitError } from './system-error.ts'
import type { HashedFile } from './workspace.ts'

const attemptsMax = 3
const chunkBytes = 1024 * 1024

/**
 * Reads the whole file, again when it changed meanwhile. Throws `file-busy` when it keeps changing, `file-changed`
 * when there is no such file, `file-unreadable`, and `stopped` once `isCancelled` answers true.
 */
export function hashFile(
  root: string,
  path: FilePath,
  options: {
    readonly isCancelled?: () => boolean
    readonly calls?: FileCalls
    readonly buffer?: Buffer
  } = {},
): Omit<HashedFile, 'racy'> {
  const calls = options.calls ?? systemFileCalls
  const buffer = options.buffer ?? Buffer.allocUnsafe(chunkBytes)
  try {
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const fd = openFile(calls, root, path)
      try {
        const hashed = hashOnce(fd, path, calls, buffer, options.isCancelled ?? (() => false))
        if (hashed !== null) return hashed
      } finally {
        calls.closeSync(fd)
      }
    }
  } catch (error) {
    throw toDavitError(error, path)
  }
  throw new DavitError('file-busy', `'${path}' changes while it is read.`, {
    action: 'retry',
    hint: 'It is taken up again when the program that writes it has finished.',
    details: { path },
  })
}

/** Opens a plain file inside the root for reading, no component of its path being a link. */
export function openFile(calls: FileCalls, root: string, path: FilePath): number {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  assertSafePath(path)
  const parent = holdFolder(calls, root, parentOf(path), { make: false })
  if (parent.kind !== 'held') throw noFile(path)
  try {
    // Without O_NONBLOCK the opening of a pipe would wait for a writer.
    return calls.openSync(parent.folder.at(nameOf(path)), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } finally {
    parent.folder.close()
  }
}

export function noFile(path: FilePath): DavitError {
  return new DavitError('file-changed', `'${path}' is no file any more.`, {
    action: 'retry',
    details: { path },
  })
}

function hashOnce(
  fd: number,
  path: FilePath,
  calls: FileCalls,
  buffer: Buffer,
  isCancelled: () => boolean,
): Omit<HashedFile, 'racy'> | null {
  const before = calls.fstatSync(fd)
  if (!before.isFile()) throw noFile(path)
  const hash = createHash('sha256')
  let total = 0
  const read = () => calls.readSync(fd, buffer, 0, buffer.length, null)
  for (let bytes = read(); bytes > 0; bytes = read()) {
    if (isCancelled()) throw new DavitError('stopped', 'The hashing was cancelled.', { action: 'give-up' })
    total += bytes
    // It grows as fast as it is read: this attempt cannot succeed.
    if (total > before.size) return null
    hash.update(buffer.subarray(0, bytes))
  }
  const after = calls.fstatSync(fd)
  const stamp = stampOf(after)
  if (total !== after.size || !matchesStamp(before, stamp)) return null
  return { hash: hash.digest('hex'), stamp, executable: isExecutable(after), mtimeUs: mtimeUsOf(after) }
}
