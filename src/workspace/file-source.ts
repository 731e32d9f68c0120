/** A file of the workspace as a content: exactly the bytes of the state that the stamp stands for, or a failure. */
import type { ContentSource } from '../model/content.ts'
import type { DiskStamp, FilePath } from '../model/file-state.ts'
import type { FileCalls } from './file-calls.ts'
import { noFile, openFile } from './hash-file.ts'
import { matchesStamp } from './stamp.ts'
import { toDavitError } from './system-error.ts'

const chunkBytes = 256 * 1024

export function fileSource(calls: FileCalls, root: string, path: FilePath, stamp: DiskStamp): ContentSource {
  return {
    size: stamp.size,
    async *open(signal) {
      signal?.throwIfAborted()
      try {
        yield* read(calls, root, path, stamp, signal)
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason
        throw toDavitError(error, path)
      }
    },
  }
}

async function* read(
  calls: FileCalls,
  root: string,
  path: FilePath,
  stamp: DiskStamp,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const fd = openFile(calls, root, path)
  try {
    const before = calls.fstatSync(fd)
    if (!before.isFile() || !matchesStamp(before, stamp)) throw noFile(path)
    let position = 0
    while (position < stamp.size) {
      signal?.throwIfAborted()
      const length = Math.min(chunkBytes, stamp.size - position)
      const buffer = Buffer.allocUnsafe(length)
      const bytesRead = await calls.read(fd, buffer, 0, length, position)
      if (bytesRead === 0) throw noFile(path)
      position += bytesRead
      // The last bytes are held back until it is known that they belong to the same state as the first.
      if (position === stamp.size && !matchesStamp(calls.fstatSync(fd), stamp)) throw noFile(path)
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    calls.closeSync(fd)
  }
}
