/** A thread that hashes the files of one request after the other; answers early where they are large. */
import { parentPort } from 'node:worker_threads'
import { hashFile } from './hash-file.ts'
import { encodeError, type HashReply, type HashRequest, type HashResult } from './worker-messages.ts'

/** Bytes hashed after which the results so far are sent. */
const replyBytes = 4 * 1024 * 1024
const buffer = Buffer.allocUnsafeSlow(1024 * 1024)

parentPort?.on('message', (request: HashRequest) => {
  const cancelled = new Int32Array(request.cancelled)
  let results: HashResult[] = []
  let bytes = 0
  for (const [index, path] of request.paths.entries()) {
    const isCancelled = () => Atomics.load(cancelled, index) !== 0
    if (isCancelled()) continue
    try {
      const file = hashFile(request.root, path, { isCancelled, buffer })
      results.push({ index, file })
      bytes += file.stamp.size
    } catch (error) {
      results.push({ index, error: encodeError(error) })
    }
    if (bytes < replyBytes) continue
    post({ results, last: false })
    results = []
    bytes = 0
  }
  post({ results, last: true })
})

function post(reply: HashReply): void {
  parentPort?.postMessage(reply)
}
