/** Hashes in this thread, over file calls that no other thread has. */
import type { Clock } from '../model/clock.ts'
import { DavitError } from '../model/errors.ts'
import type { FileCalls } from './file-calls.ts'
import { hashFile } from './hash-file.ts'
import type { HashPool } from './hash-pool.ts'
import { isRacy } from './stamp.ts'

const bufferBytes = 64 * 1024

export function createDirectHashing(options: {
  readonly calls: FileCalls
  readonly root: string
  readonly clock: Clock
}): HashPool {
  const { calls, root, clock } = options
  const buffer = Buffer.allocUnsafe(bufferBytes)
  let closed = false
  return {
    async hash(path, signal) {
      signal?.throwIfAborted()
      if (closed) throw new DavitError('stopped', 'The workspace is closed.', { action: 'give-up' })
      const startedAtMs = clock.now()
      const file = hashFile(root, path, { calls, buffer })
      return { ...file, racy: isRacy(file.stamp.mtimeMs, startedAtMs, clock.now()) }
    },
    async close() {
      closed = true
    },
  }
}
