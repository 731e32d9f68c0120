/** The near side of the scan worker: started at the first scan, shared by all, a few batches ahead of the reader. */
import { Worker } from 'node:worker_threads'
import { DavitError } from '../model/errors.ts'
import type { FilePath } from '../model/file-state.ts'
import type { IgnoreSource } from './ignore-rules.ts'
import { workerFile } from './worker-file.ts'
import { decodeError, type ScanReply, type ScanRequest } from './worker-messages.ts'
import type { ScanBatch } from './workspace.ts'

/** Batches that may be under way at once. */
const batchesAhead = 3

interface Reading {
  readonly replies: ScanReply[]
  failure: Error | null
  wake: () => void
}

export interface Scanner {
  scan(options: {
    readonly root: string
    readonly under: FilePath
    readonly ignore: IgnoreSource
    readonly signal?: AbortSignal | undefined
  }): AsyncGenerator<ScanBatch, void, void>
  close(): Promise<void>
}

export function openScanner(): Scanner {
  const readings = new Map<number, Reading>()
  let worker: Worker | null = null
  let closed = false
  let lastId = 0

  function started(): Worker {
    if (closed) throw new DavitError('stopped', 'The workspace is closed.', { action: 'give-up' })
    if (worker !== null) return worker
    const fresh = new Worker(workerFile('scan-worker'))
    const fail = (error: Error) => {
      if (worker === fresh) worker = null
      for (const reading of readings.values()) {
        reading.failure ??= error
        reading.wake()
      }
    }
    fresh.on('message', (reply: ScanReply) => {
      const reading = readings.get(reply.id)
      reading?.replies.push(reply)
      reading?.wake()
    })
    fresh.on('error', (cause) => fail(workerFailed(cause)))
    fresh.on('exit', () => fail(workerFailed(null)))
    fresh.unref()
    worker = fresh
    return fresh
  }

  async function* scan(options: Parameters<Scanner['scan']>[0]): AsyncGenerator<ScanBatch, void, void> {
    options.signal?.throwIfAborted()
    const thread = started()
    const id = ++lastId
    const reading: Reading = { replies: [], failure: null, wake: () => undefined }
    const abort = () => reading.wake()
    const post = (request: ScanRequest) => thread.postMessage(request)
    readings.set(id, reading)
    options.signal?.addEventListener('abort', abort)
    // While somebody waits for it, the thread keeps the process alive.
    if (readings.size === 1) thread.ref()
    try {
      const { root, under, ignore } = options
      post({ kind: 'start', id, root, under, ignore })
      for (let ahead = 0; ahead < batchesAhead; ahead++) post({ kind: 'more', id })
      for (;;) {
        options.signal?.throwIfAborted()
        const reply = reading.replies.shift()
        if (reply === undefined) {
          if (reading.failure !== null) throw reading.failure
          await new Promise<void>((resolve) => {
            reading.wake = resolve
          })
        } else if (reply.kind === 'end') {
          if (reply.error !== null) throw decodeError(reply.error)
          return
        } else {
          post({ kind: 'more', id })
          yield reply.batch
        }
      }
    } finally {
      options.signal?.removeEventListener('abort', abort)
      readings.delete(id)
      post({ kind: 'stop', id })
      if (readings.size === 0) thread.unref()
    }
  }

  return {
    scan,
    async close() {
      closed = true
      await worker?.terminate()
    },
  }
}

export function workerFailed(cause: unknown): DavitError {
  return new DavitError('internal', 'A worker thread of the workspace ended unexpectedly.', {
    action: 'retry',
    ...(cause === null ? {} : { cause }),
  })
}
