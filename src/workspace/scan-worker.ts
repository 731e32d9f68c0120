/** The thread that walks. Sends a batch only when it was asked for one, so that nothing piles up. */
import { parentPort } from 'node:worker_threads'
import { createIgnoreRules } from './ignore-rules.ts'
import { walk } from './scan.ts'
import { encodeError, type ScanReply, type ScanRequest } from './worker-messages.ts'
import type { ScanBatch } from './workspace.ts'

const walks = new Map<number, Generator<ScanBatch>>()

parentPort?.on('message', (request: ScanRequest) => {
  switch (request.kind) {
    case 'start': {
      const { root, under } = request
      walks.set(request.id, walk({ root, under, rules: createIgnoreRules(request.ignore) }))
      return
    }
    case 'more':
      return reply(next(request.id))
    case 'stop':
      walks.delete(request.id)
  }
})

function next(id: number): ScanReply | null {
  const walk = walks.get(id)
  if (walk === undefined) return null
  try {
    const { done, value } = walk.next()
    if (done !== true) return { kind: 'batch', id, batch: value }
    walks.delete(id)
    return { kind: 'end', id, error: null }
  } catch (error) {
    walks.delete(id)
    return { kind: 'end', id, error: encodeError(error) }
  }
}

function reply(message: ScanReply | null): void {
  if (message !== null) parentPort?.postMessage(message)
}
