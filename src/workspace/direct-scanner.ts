/** Scans in this thread, over file calls that no other thread has. */
import { DavitError } from '../model/errors.ts'
import type { FileCalls } from './file-calls.ts'
import { createIgnoreRules } from './ignore-rules.ts'
import { walk } from './scan.ts'
import type { Scanner } from './scanner.ts'

export function createDirectScanner(calls: FileCalls): Scanner {
  let closed = false
  return {
    async *scan({ root, under, ignore, signal }) {
      signal?.throwIfAborted()
      for (const batch of walk({ root, under, rules: createIgnoreRules(ignore), calls })) {
        if (closed) throw new DavitError('stopped', 'The workspace is closed.', { action: 'give-up' })
        yield batch
        signal?.throwIfAborted()
      }
    },
    async close() {
      closed = true
    },
  }
}
